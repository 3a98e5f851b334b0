"""A page that signs for itself, with Amazon's `SigV4RequestSigner`, and shows what `Viewer` of our SDK says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.harness.browser import Chromium
from tests.harness.kvs import Kvs, unique_name
from tests.harness.signing import Key
from tests.harness.web import NPM_BUILDS

OPEN = """async ({ endpoint, arn, key, region, clientId, late }) => {
  const { Viewer } = await import("/sdk/sightline.js");
  document.body.innerHTML = `<video autoplay muted playsinline></video>
    <p role="status" data-testid="notice" hidden></p><p role="alert" data-testid="error" hidden></p>`;
  const show = (place, failure) => {
    const element = document.querySelector(`[data-testid=${place}]`);
    element.hidden = !failure;
    element.textContent = failure ? failure.message : "";
    element.dataset.reason = failure ? failure.id : "";
  };
  const signer = new KVSWebRTC.SigV4RequestSigner(region, key);
  const session = async (signal, wanted) => ({
    url: await signer.getSignedURL(
      endpoint,
      { "X-Amz-ChannelARN": arn, "X-Amz-ClientId": wanted.clientId, "X-Sightline-Extras": "1" },
      new Date(Date.now() - late * 1000),
    ),
    iceServers: [],
  });
  const viewer = new Viewer({ session, video: document.querySelector("video"), clientId });
  viewer.on("notice", (notice) => show("notice", notice));
  viewer.on("failed", (failure) => show("error", failure));
  viewer.open();
}"""


class OwnPage:
    """Somebody's page for a channel that is there."""

    def __init__(self, chromium: Chromium, kvs: Kvs, node_modules: Path) -> None:
        """`kvs` asks the HTTPS listener."""
        self._chromium, self._kvs = chromium, kvs
        self._sdk = node_modules / NPM_BUILDS["/npm/kvs-webrtc.min.js"]
        self._arn = kvs.create()
        self._endpoint = kvs.endpoints(self._arn)["WSS"]

    @contextmanager
    def __call__(self, key: Key | None = None, *, client_id: str | None = None, **wrong: Any) -> Iterator[Page]:
        """Open it, and wait for nothing; `wrong` takes the place of a part of what it signs with."""
        key = key or self._kvs.key
        with self._chromium.page(f"{self._kvs.service.https}/healthz", bypass_csp=True) as page:
            page.add_script_tag(path=self._sdk)
            wanted = {
                "endpoint": self._endpoint,
                "arn": self._arn,
                "key": {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret_access_key},
                "region": self._kvs.region,
                "clientId": client_id or unique_name("own"),
                "late": 0,
                **wrong,
            }
            page.evaluate(OPEN, wanted)
            yield page
