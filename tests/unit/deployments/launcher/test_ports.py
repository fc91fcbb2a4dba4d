"""Which ports are served, and what is said when one is taken."""

import socket

import pytest

from deployments.errors import PortInUse
from deployments.launcher.ports import PortClaims, PortWishes, choose_ports, free_port, is_free


def taken(*ports):
    return lambda port: port not in ports


def test_the_defaults_are_fixed():
    ports = choose_ports(PortWishes(), remembered={}, free=taken())
    assert (ports.site, ports.dicom, ports.xnat, ports.prefect) == (8080, 11112, 8081, 4200)


@pytest.mark.parametrize(("port", "option"), [(8080, "--port"), (11112, "--dicom-port")])
def test_a_used_default_port_is_one_sentence_that_names_the_option(port, option):
    with pytest.raises(PortInUse) as caught:
        choose_ports(PortWishes(), remembered={}, free=taken(port))
    assert str(port) in str(caught.value)
    assert option in str(caught.value)


def test_a_used_port_that_was_asked_for_is_an_error_even_for_the_demo():
    with pytest.raises(PortInUse, match="9000"):
        choose_ports(PortWishes(site=9000, yielding=True), remembered={}, free=taken(9000))


def test_the_demo_takes_a_free_port_where_the_default_is_used():
    ports = choose_ports(PortWishes(yielding=True), remembered={}, free=taken(8080, 11112))
    assert ports.site != 8080
    assert ports.dicom != 11112


def test_ports_inside_the_house_are_remembered_and_replaced_when_taken():
    remembered = {"xnat": 40001, "prefect": 40002}
    ports = choose_ports(PortWishes(), remembered=remembered, free=taken(40002))
    assert ports.xnat == 40001
    assert ports.prefect == 4200


def test_a_port_asked_for_comes_before_another_services_default():
    ports = choose_ports(PortWishes(site=8081), remembered={}, free=taken())
    assert ports.site == 8081
    assert ports.xnat != 8081


def test_the_same_port_for_two_services_is_refused():
    with pytest.raises(PortInUse, match="9000"):
        choose_ports(PortWishes(site=9000, dicom=9000), remembered={}, free=taken())


def test_port_zero_takes_a_free_one():
    assert choose_ports(PortWishes(site=0), remembered={}, free=taken()).site not in {0, 8080}


def test_all_ports_differ():
    ports = vars(choose_ports(PortWishes(site=0, dicom=0, xnat=0, prefect=0), remembered={})).values()
    assert len(set(ports)) == 6


def test_a_port_somebody_listens_on_is_not_free():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert not is_free(server.getsockname()[1])
    assert is_free(free_port())


def test_two_launchers_that_start_together_never_choose_the_same_port(tmp_path):
    one, other = PortClaims(tmp_path / "claims"), PortClaims(tmp_path / "claims")
    wishes = PortWishes(site=0, dicom=0)
    remembered = {"xnat": free_port(), "prefect": free_port()}
    first = choose_ports(wishes, remembered=remembered, free=one.claim)
    second = choose_ports(wishes, remembered=remembered, free=other.claim)
    assert not set(vars(first).values()) & set(vars(second).values())
    one.close()
    other.close()


def test_a_port_let_go_can_be_had_again(tmp_path):
    one, other, port = PortClaims(tmp_path / "claims"), PortClaims(tmp_path / "claims"), free_port()
    assert one.claim(port)
    assert not other.claim(port)
    one.close()
    assert other.claim(port)
    other.close()


def test_a_port_somebody_listens_on_cannot_be_claimed(tmp_path):
    claims = PortClaims(tmp_path / "claims")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert not claims.claim(server.getsockname()[1])
    claims.close()
