"""Which hosts applications may be asked at on a server: the listed ones, and private addresses only where they are listed."""

import ipaddress

import pytest

from promptuary.core.allowed_hosts import AllowedHosts, HostRefused

LISTED = AllowedHosts(frozenset({"app.example.com", "desk.internal:8080", "10.0.0.7", "172.16.0.0/12", "localhost"}))


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/answer",
        "https://APP.example.com:8443/",
        "http://desk.internal:8080/",
        "http://10.0.0.7/",
        "http://172.20.1.2:9000/",
        "http://localhost:8000/",
    ],
)
def test_listed_hosts_are_asked(url: str) -> None:
    LISTED.check_url(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://other.example.com/", "may not be asked at 'other.example.com' \\(port 443\\); an operator can list it"),
        ("https://desk.internal/", "may not be asked at 'desk.internal' \\(port 443\\)"),
        ("http://169.254.169.254/latest/meta-data", "may not be asked at '169.254.169.254'"),
        ("http://127.0.0.1:8400/v1/keys", "may not be asked at '127.0.0.1'"),
        ("http://[::1]/", "may not be asked at '::1'"),
        ("https://app.example.com@evil.example/", "contains a user or password"),
        ("file:///etc/passwd", "must begin with http:// or https://"),
        ("https://app.example.com:99999/", "is not a URL"),
    ],
)
def test_other_hosts_are_refused_with_the_remedy(url: str, expected: str) -> None:
    with pytest.raises(HostRefused, match=expected):
        LISTED.check_url(url)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.1.2.3", "fd00::1"])
def test_a_name_may_not_resolve_to_an_address_that_is_not_public(address: str) -> None:
    with pytest.raises(HostRefused, match="which is not public"):
        LISTED.check_resolved("app.example.com", ipaddress.ip_address(address))


def test_a_name_may_resolve_to_a_listed_network() -> None:
    LISTED.check_resolved("desk.internal", ipaddress.ip_address("172.20.1.2"), plain=True)
    LISTED.check_resolved("localhost", ipaddress.ip_address("127.0.0.1"), plain=True)


def test_a_public_address_is_asked_by_https_only() -> None:
    address = ipaddress.ip_address("93.184.216.34")
    LISTED.check_resolved("app.example.com", address)
    with pytest.raises(HostRefused, match="by https only"):
        LISTED.check_resolved("app.example.com", address, plain=True)


def test_the_command_line_asks_any_host() -> None:
    AllowedHosts(None).check_url("http://10.9.8.7/")
