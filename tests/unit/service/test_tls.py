"""The HTTPS listener's certificate: made, renewed, reloaded; seen through real handshakes in memory."""

from __future__ import annotations

import ssl
import stat
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sightline.errors import ConfigError
from sightline.service.local_ca import LocalCa, certificate_names
from sightline.service.tls import TlsKeeper, how_to_trust

pytestmark = pytest.mark.realtime

NOW = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
DAY = 86400.0
NAMES = ("127.0.0.1", "::1", "camera.example", "localhost")


def keeper(data_dir: Path, *, now: float = NOW, names: Sequence[str] = NAMES) -> TlsKeeper:
    return TlsKeeper.automatic(data_dir, now=now, names=lambda _public: names)


def handshake(
    server: ssl.SSLContext,
    *,
    ca: Path | None,
    host: str = "localhost",
    maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    alpn: Sequence[str] = (),
) -> ssl.SSLObject:
    """A whole TLS handshake in memory. The client's side, or the SSLError with which the client ends it."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is not None:
        client_context.load_verify_locations(ca)
    else:
        client_context.check_hostname = False
        client_context.verify_mode = ssl.CERT_NONE
    client_context.maximum_version = maximum
    if alpn:
        client_context.set_alpn_protocols(list(alpn))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    accepted = server.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    for _ in range(10):
        for side in (client, accepted):
            if side not in done:
                try:
                    side.do_handshake()
                    done.add(side)
                except ssl.SSLWantReadError:
                    continue
    assert len(done) == 2
    return client


def served(server: ssl.SSLContext) -> x509.Certificate:
    certificate = handshake(server, ca=None).getpeercert(binary_form=True)
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ------------------------------------------------------------------------------------------ automatic


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "camera.example"])
def test_a_client_that_trusts_the_ca_gets_in_by_every_name(tmp_path: Path, host: str) -> None:
    # Real clocks check dates in the handshake, so this one is made for today.
    tls = keeper(tmp_path, now=datetime.now(UTC).timestamp())
    client = handshake(tls.context, ca=tls.ca_path, host=host, alpn=["h2", "http/1.1"])
    assert client.selected_alpn_protocol() == "http/1.1"
    assert client.version() == "TLSv1.3"


def test_other_names_and_old_tls_are_refused(tmp_path: Path) -> None:
    tls = keeper(tmp_path, now=datetime.now(UTC).timestamp())
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(tls.context, ca=tls.ca_path, host="other.example")
    assert handshake(tls.context, ca=tls.ca_path, maximum=ssl.TLSVersion.TLSv1_2).version() == "TLSv1.2"
    assert tls.context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.context.num_tickets == 0


def test_files_have_the_right_modes_under_any_umask(tmp_path: Path) -> None:
    tls_dir = tmp_path / "tls"
    keeper(tmp_path)
    assert mode(tls_dir) == 0o700
    assert mode(tls_dir / "ca.pem") == 0o644
    assert mode(tls_dir / "ca.key") == 0o600
    assert mode(tls_dir / "server.pem") == 0o600
    assert {path.name for path in tls_dir.iterdir()} == {"ca.pem", "ca.key", "server.pem", ".lock"}


def test_what_the_certificates_say(tmp_path: Path) -> None:
    tls = keeper(tmp_path)
    certificate = served(tls.context)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = set(names.get_values_for_type(x509.DNSName))
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert dns == {"camera.example", "localhost"}
    assert addresses == {"127.0.0.1", "::1"}
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime <= timedelta(days=397)
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert tls.ca_path is not None
    ca = x509.load_pem_x509_certificate(tls.ca_path.read_bytes())
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert timedelta(days=3648) < ca.not_valid_after_utc - datetime.fromtimestamp(NOW, UTC)


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    first = served(keeper(tmp_path).context)
    assert served(keeper(tmp_path, now=NOW + 300 * DAY).context) == first


@pytest.mark.parametrize(
    ("later", "names"),
    [
        (0.0, (*NAMES, "192.0.2.9")),
        (0.0, NAMES[:-1]),
        (368 * DAY, NAMES),
        (5000 * DAY, NAMES),
        (-2 * DAY, NAMES),
    ],
    ids=["address came", "name went", "30 days remain", "long expired", "clock set back"],
)
async def test_a_new_server_certificate_is_made_and_served_without_a_restart(
    tmp_path: Path, later: float, names: Sequence[str]
) -> None:
    current = [NAMES]
    tls = TlsKeeper.automatic(tmp_path, now=NOW, names=lambda _public: current[0])
    before, ca = served(tls.context), (tmp_path / "tls" / "ca.pem").read_bytes()
    assert not await tls.refresh(NOW + 60)
    current[0] = tuple(names)
    assert await tls.refresh(NOW + later)
    after = served(tls.context)
    assert after != before
    moment = datetime.fromtimestamp(NOW + later, UTC)
    assert after.not_valid_before_utc <= moment < after.not_valid_after_utc
    # People have trusted the CA: it stays until it ends itself.
    assert ((tmp_path / "tls" / "ca.pem").read_bytes() == ca) == (later < 3000 * DAY)
    assert not await tls.refresh(NOW + later)


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_damaged_or_lost_server_certificate_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    keeper(tmp_path)
    path = tmp_path / "tls" / "server.pem"
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    served(keeper(tmp_path).context)


def test_a_start_that_was_killed_between_the_two_ca_files_is_repaired(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "ca.key").write_text("an orphan")
    served(keeper(tmp_path).context)


def test_a_lost_or_foreign_ca_key_is_a_sentence_and_nothing_is_overwritten(tmp_path: Path) -> None:
    keeper(tmp_path)
    ca, key = tmp_path / "tls" / "ca.pem", tmp_path / "tls" / "ca.key"
    trusted = ca.read_bytes()
    key.unlink()
    keeper(tmp_path)  # nothing to sign: it goes on
    with pytest.raises(ConfigError, match=r"ca\.key is missing.*Put the key back"):
        keeper(tmp_path, names=("localhost",))
    keeper(tmp_path / "other")
    key.write_bytes((tmp_path / "other" / "tls" / "ca.key").read_bytes())
    with pytest.raises(ConfigError, match="does not belong to"):
        keeper(tmp_path, names=("localhost",))
    key.write_text("junk")
    with pytest.raises(ConfigError, match="not a private key"):
        keeper(tmp_path, names=("localhost",))
    assert ca.read_bytes() == trusted


def test_a_ca_file_that_is_no_certificate_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "ca.pem").write_text("junk")
    with pytest.raises(ConfigError, match="not a certificate"):
        keeper(tmp_path)


async def test_a_failed_renewal_keeps_the_old_certificate_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    current = [NAMES]
    tls = TlsKeeper.automatic(tmp_path, now=NOW, names=lambda _public: current[0])
    before = served(tls.context)
    (tmp_path / "tls" / "ca.key").unlink()
    current[0] = ("localhost",)
    for _ in range(3):
        assert not await tls.refresh(NOW)
    assert served(tls.context) == before
    assert [record.levelname for record in caplog.records] == ["ERROR"]


RACER = """
import sys
from pathlib import Path
from sightline.service.local_ca import LocalCa
print("ready", flush=True)
sys.stdin.readline()
LocalCa(Path(sys.argv[1])).ensure(["localhost"], now=float(sys.argv[2]))
"""


def test_processes_that_start_at_the_same_moment_agree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACER, str(tmp_path), str(NOW)]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        racer.communicate(timeout=30)
        assert racer.returncode == 0
    ca = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    key = serialization.load_pem_private_key((tmp_path / "ca.key").read_bytes(), password=None)
    assert key.public_key() == ca.public_key()
    server = x509.load_pem_x509_certificate((tmp_path / "server.pem").read_bytes())
    server.verify_directly_issued_by(ca)


def test_names_of_this_machine() -> None:
    names = certificate_names(["Example.ORG", "[2001:DB8::1]", "münchen.example", " 192.0.2.1 "])
    assert {"localhost", "127.0.0.1", "::1"} <= set(names)
    assert {"example.org", "2001:db8::1", "xn--mnchen-3ya.example", "192.0.2.1"} <= set(names)
    assert not any(name.startswith("fe80") or "%" in name for name in names)
    assert list(names) == sorted(set(names))
    with pytest.raises(ConfigError, match="not a host name"):
        certificate_names(["ü" * 80 + ".example"])


def test_how_to_trust_names_every_kind_of_client() -> None:
    text = how_to_trust(Path("/data/tls/ca.pem"))
    for word in ("Debian", "macOS", "Firefox", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "AWS_KVS_CACERT_PATH"):
        assert word in text
    assert "/data/tls/ca.pem" in text


# ----------------------------------------------------------------------------------------- from files


def real_pair(directory: Path, name: str = "real", names: Sequence[str] = NAMES) -> tuple[Path, Path]:
    """Certificate and key in separate files, as an ACME client leaves them."""
    LocalCa(directory / name).ensure(names, now=NOW)
    pem = (directory / name / "server.pem").read_text()
    cut = pem.index("-----BEGIN CERTIFICATE")
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    certificate.write_text(pem[cut:])
    key.write_text(pem[:cut])
    return certificate, key


async def test_a_real_certificate_is_read_again_when_its_files_change(tmp_path: Path) -> None:
    certificate, key = real_pair(tmp_path)
    new_certificate, new_key = real_pair(tmp_path, "new")
    tls = TlsKeeper.from_files(certificate, key)
    assert tls.ca_path is None
    before = served(tls.context)
    assert not await tls.refresh(NOW)
    new_certificate.replace(certificate)
    assert not await tls.refresh(NOW)  # half-way: the key is still the old one
    assert served(tls.context) == before
    new_key.replace(key)
    assert await tls.refresh(NOW)
    assert served(tls.context) != before
    assert not await tls.refresh(NOW)


async def test_a_real_certificate_that_goes_away_stays_in_use(tmp_path: Path) -> None:
    certificate, key = real_pair(tmp_path)
    tls = TlsKeeper.from_files(certificate, key)
    before = served(tls.context)
    key.unlink()
    assert not await tls.refresh(NOW)
    assert served(tls.context) == before


def test_certificate_and_key_may_be_one_file(tmp_path: Path) -> None:
    real_pair(tmp_path)
    served(TlsKeeper.from_files(tmp_path / "real" / "server.pem", None).context)


def test_bad_files_are_sentences(tmp_path: Path) -> None:
    certificate, key = real_pair(tmp_path)
    _, other_key = real_pair(tmp_path, "other")
    with pytest.raises(ConfigError, match=r"nowhere\.pem of --tls-cert cannot be read: No such file"):
        TlsKeeper.from_files(tmp_path / "nowhere.pem", key)
    with pytest.raises(ConfigError, match=r"nowhere\.key of --tls-key cannot be read"):
        TlsKeeper.from_files(certificate, tmp_path / "nowhere.key")
    with pytest.raises(ConfigError, match=r"other\.key does not belong to the certificate in .*real\.crt"):
        TlsKeeper.from_files(certificate, other_key)
    with pytest.raises(ConfigError, match="PEM certificate chain"):
        TlsKeeper.from_files(key, key)
    locked = serialization.load_pem_private_key(key.read_bytes(), password=None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    key.write_bytes(locked)
    with pytest.raises(ConfigError, match="password"):
        TlsKeeper.from_files(certificate, key)
