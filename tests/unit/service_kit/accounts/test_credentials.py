"""CSRF tokens belong to a cookie; where there is no cookie, no token fits."""

import re
import subprocess
import sys

from service_kit.accounts.credentials import csrf_matches, csrf_token_of, new_session_secret


def test_a_token_fits_its_cookie_and_no_other():
    secret = new_session_secret()
    assert csrf_matches(secret, csrf_token_of(secret))
    assert not csrf_matches(new_session_secret(), csrf_token_of(secret))
    assert not csrf_matches(secret, None)


def test_nothing_fits_an_empty_cookie():
    assert not csrf_matches("", csrf_token_of(""))


def test_outside_of_tests_a_password_costs_what_argon2_recommends() -> None:
    """The tests hash at little cost, so a process of its own says what everybody else gets (RFC 9106, section 4)."""
    code = "from service_kit.accounts.credentials import PasswordVerifier as P; import sys; sys.stdout.write(P().hash('x'))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    memory_kib, passes, lanes = map(int, re.findall(r"[mtp]=(\d+)", said.stdout))
    assert said.stdout.startswith("$argon2id$v=19$")
    assert (memory_kib, passes * lanes) >= (64 * 1024, 3)
