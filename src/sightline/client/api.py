"""Signed calls to one service through botocore: its models, its credential chain, its signing. Blocking.

`KvsApi` belongs to one worker thread at a time (`control.ControlPlane` sees to that). It raises the errors of
`refusals` and nothing of botocore's.
"""

from __future__ import annotations

import json
import logging
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import botocore.session
import msgspec
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import URLLib3Session, get_cert_path
from botocore.parsers import ResponseParserError

from .. import __version__
from ..errors import ConfigError
from ..wire.sigv4 import SERVICE, Credentials
from .refusals import ClockSkew, NotAService, Refusal, from_transport, refused
from .signing import SIGNATURE_VERSION, CorrectedSigV4Auth, clock_offset, offset_from
from .target import Target

__all__ = ["Answer", "KvsApi"]

log = logging.getLogger(__name__)

T = TypeVar("T")

CONNECT_TIMEOUT: Final = 4.0
READ_TIMEOUT: Final = 10.0
"""Seconds. The C SDK gives a call 2 s to connect and 5 s in all (KVS.md §7); people at a prompt wait longer."""


class Answer(msgspec.Struct, frozen=True):
    """A successful answer: its JSON members, and whether it is a Sightline that gave it."""

    members: Mapping[str, object]
    is_sightline: bool


class KvsApi:
    """Calls operations of a service by their KVS names, or posts signed JSON to its other paths."""

    def __init__(self, target: Target, *, clock: Callable[[], float] = time.time) -> None:
        self._target = target
        self._clock = clock
        self._session = botocore.session.Session()
        if not target.is_aws:
            # Nobody else's network is asked for a key: outside of EC2 that only costs seconds.
            self._session.get_component("credential_provider").remove("iam-role")
        self._clients: dict[tuple[str, str], Any] = {}
        self._offset = 0.0
        self._date = ""
        self._trust: tempfile.TemporaryDirectory[str] | None = None
        self._verify: str | None = None

    @property
    def region(self) -> str:
        """The region to sign for. Raises ConfigError when there is none."""
        region = self._target.region or self._session.get_config_variable("region")
        if region:
            return str(region)
        if self._target.is_aws:
            raise ConfigError("No region is configured for AWS: set SIGHTLINE_REGION or AWS_REGION.")
        return "us-west-2"

    def now(self) -> float:
        """The time to sign with, in epoch seconds: the machine's, corrected by what the service said of it."""
        return self._clock() + self._offset

    def credentials(self) -> Credentials:
        """The key of this moment (temporary keys change). Raises WrongKey when there is none."""
        if self._target.credentials is not None:
            return self._target.credentials
        try:
            found = self._session.get_credentials()
            if found is None:
                raise botocore.exceptions.NoCredentialsError()
            frozen = found.get_frozen_credentials()
        except BotoCoreError as error:
            raise from_transport(error, self._target) from error
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    def call(
        self,
        operation: str,
        members: Mapping[str, object],
        *,
        service: str = SERVICE,
        endpoint: str | None = None,
        channel: str | None = None,
    ) -> Answer:
        """One operation of the botocore model, for instance ``describe_signaling_channel``, with its members.

        `service` is botocore's name of the API; `endpoint` replaces the control plane's; `channel` is what an
        error message calls the channel. Raises ConnectError.
        """
        return self._in_time(lambda: self._call(operation, members, service, endpoint, channel))

    def _call(
        self,
        operation: str,
        members: Mapping[str, object],
        service: str,
        endpoint: str | None,
        channel: str | None,
    ) -> Answer:
        try:
            client = self._client(service, endpoint)
            response = getattr(client, operation)(**members)
        except ClientError as error:
            raise self._refused(error, channel) from error
        except (BotoCoreError, ResponseParserError) as error:
            raise from_transport(error, self._target) from error
        metadata = response.pop("ResponseMetadata", {})
        return Answer(response, metadata.get("HTTPHeaders", {}).get("x-sightline") is not None)

    def post(self, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        """Posts JSON to a path that is not in KVS's model, signed like any other call. Raises ConnectError."""
        return self._in_time(lambda: self._post(path, body))

    def _post(self, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        data = json.dumps(body).encode()
        request = AWSRequest("POST", self._target.endpoint + path, {"Content-Type": "application/json"}, data=data)
        key = self.credentials()
        signing_key = botocore.credentials.Credentials(key.access_key_id, key.secret_access_key, key.session_token)
        CorrectedSigV4Auth(signing_key, SERVICE, self.region).add_auth(request)
        http = URLLib3Session(verify=self._trusted(), proxies=self._proxies(), timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))
        try:
            response = http.send(request.prepare())
        except BotoCoreError as error:
            raise from_transport(error, self._target) from error
        finally:
            http.close()
        if response.headers.get("x-sightline") is None:
            raise NotAService(
                f"{self._target.endpoint} is not a Sightline, and only a Sightline can do this. Check the endpoint."
            )
        try:
            answer = msgspec.json.decode(response.content, type=dict[str, object])
        except msgspec.DecodeError:
            answer = {}
        if 200 <= response.status_code < 300:
            return answer
        refusal = Refusal(
            response.status_code,
            str(answer.get("__type") or response.status_code).rpartition("#")[2],
            str(answer.get("Message") or answer.get("message") or ""),
            response.headers.get("date", ""),
        )
        raise self._refusal(refusal, None)

    def hang_up(self) -> None:
        """Gives up connections that are kept open: who needs a new session may be on another network than they are."""
        for client in self._clients.values():
            client.close()

    def close(self) -> None:
        """Gives connections and files back."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()
        if self._trust is not None:
            self._trust.cleanup()
            self._trust = None
            self._verify = None

    def _client(self, service: str, endpoint: str | None) -> Any:
        url = endpoint or (None if self._target.is_aws else self._target.endpoint)
        key = (service, url or "")
        if key in self._clients:
            return self._clients[key]
        options: dict[str, object] = {
            "connect_timeout": CONNECT_TIMEOUT,
            "read_timeout": READ_TIMEOUT,
            "retries": {"mode": "standard", "total_max_attempts": 3 if self._target.is_aws else 2},
            "user_agent_extra": f"sightline/{__version__}",
            "signature_version": SIGNATURE_VERSION,
        }
        if url is not None:
            # Settings of the shell for other work with AWS; with an endpoint of our own they are an error.
            options.update(use_fips_endpoint=False, use_dualstack_endpoint=False, proxies=self._proxies())
        secret = self._target.credentials
        self._clients[key] = client = self._session.create_client(
            service,
            region_name=self.region,
            endpoint_url=url,
            verify=self._trusted(),
            aws_access_key_id=secret.access_key_id if secret else None,
            aws_secret_access_key=secret.secret_access_key if secret else None,
            aws_session_token=secret.session_token if secret else None,
            config=Config(**options),
        )
        return client

    def _proxies(self) -> dict[str, str] | None:
        return {} if self._target.is_loopback else None

    def _trusted(self) -> bool | str:
        """The ``verify`` of botocore: a bundle given by the user alone, or the usual CAs and our own together.

        The usual ones are those of ``AWS_CA_BUNDLE``, which shells behind inspecting proxies have set for good.
        """
        if self._target.ca_bundle is not None:
            if not self._target.ca_bundle.is_file():
                raise ConfigError(f"The CA bundle {self._target.ca_bundle} is not there.")
            return str(self._target.ca_bundle)
        usual = self._session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
        if self._target.local_ca is None:
            return usual or True  # never None: to botocore's HTTP session that means no verification at all
        if self._verify is None:
            self._trust = tempfile.TemporaryDirectory(prefix="sightline-ca-")
            bundle = Path(self._trust.name) / "ca.pem"
            sources = [usual or get_cert_path(True), ssl.get_default_verify_paths().cafile, self._target.local_ca]
            bundle.write_bytes(b"\n".join(Path(source).read_bytes() for source in sources if source))
            self._verify = str(bundle)
        return self._verify

    def _refused(self, error: ClientError, channel: str | None) -> Exception:
        metadata = error.response.get("ResponseMetadata", {})
        details = error.response.get("Error", {})
        refusal = Refusal(
            int(metadata.get("HTTPStatusCode", 0)),
            str(details.get("Code", "")),
            str(details.get("Message", "")),
            str(metadata.get("HTTPHeaders", {}).get("date", "")),
        )
        return self._refusal(refusal, channel)

    def _refusal(self, refusal: Refusal, channel: str | None) -> Exception:
        self._date = refusal.date
        return refused(refusal, self._target, channel=channel, now=self._clock())

    def _in_time(self, call: Callable[[], T]) -> T:
        """Make a call; once more by the service's clock, when ours is too far off for a signature (KVS.md §2.4)."""
        try:
            with clock_offset(self._offset):
                return call()
        except ClockSkew as error:
            offset = offset_from(self._date, now=self._clock())
            if offset is None:
                raise
            log.warning("%s Requests are signed by the service's clock meanwhile.", error)
            self._offset = offset
        with clock_offset(self._offset):
            return call()
