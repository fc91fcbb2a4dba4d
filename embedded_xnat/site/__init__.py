"""What a client asks of the site itself: build info, schemas, search elements, users, access."""
