"""What each command of ``cohortflow`` does; imported only when the command runs."""
