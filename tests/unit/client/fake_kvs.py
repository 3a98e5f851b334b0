"""A control plane on loopback that is just enough of KVS to be asked by botocore, and can be told to misbehave."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sightline.errors import SignatureRejected
from sightline.wire.sigv4 import SignedRequest, parse_authorization, verify

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ARN = "arn:aws:kinesisvideo:us-west-2:000000000000:channel/{}/1700000000123"

Reply = tuple[int, object]
Members = dict[str, object]


class FakeKvs:
    """Channels in a dict; every request is recorded as (path, members)."""

    def __init__(self, *, clock: Callable[[], float], is_sightline: bool = True) -> None:
        self.clock = clock
        self.is_sightline = is_sightline
        self.channels: dict[str, Members] = {}
        self.requests: list[tuple[str, Members]] = []
        self.override: dict[str, Reply] = {}
        self.page_size = 2
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer = outer.answer(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response_only(status)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Date", formatdate(outer.clock(), usegmt=True))
                if outer.is_sightline:
                    self.send_header("x-sightline", "1")
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://localhost:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add(self, name: str, **tags: str) -> None:
        self.channels[name] = {"tags": dict(tags), "ttl": 60}

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        members: Members = json.loads(body)
        self.requests.append((path, members))
        request = SignedRequest("POST", path, "", headers, hashlib.sha256(body).hexdigest())
        try:
            authorization = parse_authorization(request)
            if authorization.access_key_id != KEY:
                return 403, error("UnrecognizedClientException", "The security token is invalid.")
            verify(request, authorization, SECRET, region="us-west-2", now=self.clock())
        except SignatureRejected as rejected:
            return 403, error(rejected.code, str(rejected))
        if path in self.override:
            return self.override[path]
        operation = getattr(self, "_" + path.strip("/").replace("/", "_").replace("-", "_"), None)
        if operation is None:
            return 404, "<html>nothing</html>"
        try:
            return 200, operation(members)
        except KeyError:
            return 404, error("ResourceNotFoundException", "The requested channel is not found.")

    def _find(self, members: Members) -> tuple[str, Members]:
        arn = members.get("ChannelARN") or members.get("ResourceARN")
        name = str(arn).split("/")[1] if arn else str(members["ChannelName"])
        return name, self.channels[name]

    def _info(self, name: str) -> Members:
        return {
            "ChannelName": name,
            "ChannelARN": ARN.format(name),
            "ChannelStatus": "ACTIVE",
            "ChannelType": "SINGLE_MASTER",
            "CreationTime": 1700000000.123,
            "SingleMasterConfiguration": {"MessageTtlSeconds": self.channels[name]["ttl"]},
            "Version": "v1",
        }

    def _createSignalingChannel(self, members: Members) -> Members:
        name = str(members["ChannelName"])
        tags: list[dict[str, str]] = members.get("Tags", [])  # type: ignore[assignment]
        configuration: dict[str, int] = members["SingleMasterConfiguration"]  # type: ignore[assignment]
        self.channels[name] = {
            "tags": {tag["Key"]: tag["Value"] for tag in tags},
            "ttl": configuration["MessageTtlSeconds"],
        }
        return {"ChannelARN": ARN.format(name)}

    def _describeSignalingChannel(self, members: Members) -> Members:
        return {"ChannelInfo": self._info(self._find(members)[0])}

    def _listSignalingChannels(self, members: Members) -> Members:
        condition: dict[str, str] = members.get("ChannelNameCondition", {})  # type: ignore[assignment]
        names = sorted(name for name in self.channels if name.startswith(condition.get("ComparisonValue", "")))
        start = int(str(members.get("NextToken", "0")))
        answer: Members = {"ChannelInfoList": [self._info(n) for n in names[start : start + self.page_size]]}
        if start + self.page_size < len(names):
            answer["NextToken"] = str(start + self.page_size)
        return answer

    def _updateSignalingChannel(self, members: Members) -> Members:
        configuration: dict[str, int] = members["SingleMasterConfiguration"]  # type: ignore[assignment]
        assert members["CurrentVersion"] == "v1"
        self._find(members)[1]["ttl"] = configuration["MessageTtlSeconds"]
        return {}

    def _deleteSignalingChannel(self, members: Members) -> Members:
        del self.channels[self._find(members)[0]]
        return {}

    def _TagResource(self, members: Members) -> Members:
        tags: list[dict[str, str]] = members["Tags"]  # type: ignore[assignment]
        self._find(members)[1]["tags"].update({t["Key"]: t["Value"] for t in tags})  # type: ignore[attr-defined]
        return {}

    def _UntagResource(self, members: Members) -> Members:
        for key in members["TagKeyList"]:  # type: ignore[attr-defined]
            self._find(members)[1]["tags"].pop(key, None)  # type: ignore[attr-defined]
        return {}

    def _ListTagsForResource(self, members: Members) -> Members:
        return {"Tags": self._find(members)[1]["tags"]}

    def _getSignalingChannelEndpoint(self, members: Members) -> Members:
        self._find(members)
        configuration: dict[str, str] = members["SingleMasterChannelEndpointConfiguration"]  # type: ignore[assignment]
        return {
            "ResourceEndpointList": [
                {"Protocol": "HTTPS", "ResourceEndpoint": self.url},
                {
                    "Protocol": "WSS",
                    "ResourceEndpoint": self.url.replace("http", "ws") + "/" + configuration["Role"].lower(),
                },
            ]
        }

    def _v1_get_ice_server_config(self, members: Members) -> Members:
        self._find(members)
        return {
            "IceServerList": [
                {"Uris": ["stun:h:3478"], "Ttl": 300},
                {"Uris": ["turn:h:3478?transport=udp"], "Username": "1:x", "Password": "p", "Ttl": 300},
            ]
        }

    def _sightline_v1_links_create(self, members: Members) -> Members:
        return {
            "token": "T0KEN",
            "linkId": "l1",
            "channel": members["channel"],
            "role": members["role"],
            "expiresAt": 1790000000,
            "urls": [f"https://cam.example:8443/view/{members['channel']}#T0KEN"],
        }

    def _sightline_v1_viewers(self, members: Members) -> Members:
        name = members["channel"]
        if name == "empty":
            return {"channel": name, "masterConnected": False, "reportedAt": None, "total": 0, "viewers": []}
        if name == "foreign":
            return {"channel": name, "masterConnected": True, "reportedAt": None, "total": 0, "viewers": []}
        if name == "quiet":
            return {"channel": name, "masterConnected": True, "reportedAt": 1790000000, "total": 0, "viewers": []}
        common = {"connectionState": "connected", "iceConnectionState": "completed", "since": 1790000000}
        figures = {"roundTripTime": 0.0204, "loss": 0.015, "bitrate": 1_820_000.0, "candidatePair": "host a -> host b"}
        viewers = [
            {"clientId": "viewer-1", "role": "operator", **common, **figures},
            {"clientId": "viewer-2", **common, "new": "later"},
        ]
        return {"channel": name, "masterConnected": True, "reportedAt": 1790000000, "total": 3, "viewers": viewers}

    def _sightline_v1_credentials_create(self, members: Members) -> Members:
        return {
            "accessKeyId": "AKNEW",
            "secretAccessKey": "S3CRET",
            "role": members["role"],
            "channel": members["channel"],
            "expiresAt": members["expiresIn"] and 1790000000,
        }

    def _sightline_v1_credentials_list(self, _members: Members) -> Members:
        common = {"channel": "*", "createdAt": 1700000000, "expiresAt": None, "note": ""}
        return {
            "credentials": [
                {"accessKeyId": "AKONE", "role": "admin", "state": "active", **common},
                {"accessKeyId": "AKTWO", "role": "viewer", "state": "revoked", **common, "more": "later"},
            ]
        }

    def _sightline_v1_credentials_revoke(self, members: Members) -> Members:
        if members["accessKeyId"] == "AKNONE":
            raise KeyError
        return {"closedSockets": 2}


def error(code: str, text: str) -> Members:
    return {"__type": code, "Message": text}
