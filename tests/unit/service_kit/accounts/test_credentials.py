"""CSRF tokens belong to a cookie; where there is no cookie, no token fits."""

from service_kit.accounts.credentials import csrf_matches, csrf_token_of, new_session_secret


def test_a_token_fits_its_cookie_and_no_other():
    secret = new_session_secret()
    assert csrf_matches(secret, csrf_token_of(secret))
    assert not csrf_matches(new_session_secret(), csrf_token_of(secret))
    assert not csrf_matches(secret, None)


def test_nothing_fits_an_empty_cookie():
    assert not csrf_matches("", csrf_token_of(""))
