"""For every test: no telemetry, no hub, and a network that reaches this machine only."""

import ipaddress
import socket

import pytest
from hypothesis import HealthCheck, settings

from medqa.environment import prepare

prepare(offline=True)

# A busy machine must not fail a test: how long an example takes to make or to run is no property of the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


class NetworkBlocked(OSError):
    """A test tried to leave the machine."""


@pytest.fixture(autouse=True)
def closed_network(monkeypatch):
    """Connections beyond loopback fail, and so does the test that ignored the failure: all attempts are checked at its end."""
    attempts = []
    real_connect = socket.socket.connect
    real_lookup = socket.getaddrinfo

    def is_local(host):
        if host in ("localhost", "", None):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def connect(self, address):
        if self.family != socket.AF_UNIX and not is_local(address[0]):
            attempts.append(address)
            raise NetworkBlocked(f"the test tried to connect to {address}")
        return real_connect(self, address)

    def lookup(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if not is_local(name):
            attempts.append(name)
            raise NetworkBlocked(f"the test tried to look up {name}")
        return real_lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    yield attempts
    assert attempts == []
