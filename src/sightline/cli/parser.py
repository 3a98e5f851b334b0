"""The command line as a whole: what ``sightline --help`` shows."""

from __future__ import annotations

import argparse

from .. import __version__
from . import call, channel, command, credentials, demo, doctor, env, link, master, serve, view, viewers

__all__ = ["build_parser"]

EPILOG = """\
examples:
  sightline demo                     a service and a camera on this machine, and the page to watch it on
  sightline demo --lan               the same for phones and others in your network
  sightline serve                    the service alone
  sightline master porch --source test     a camera on channel porch
  sightline view porch --record porch.mp4  watch it, and record what is seen
  sightline call Door --room family --source test --to Ann   call somebody, as a doorbell does
  sightline viewers porch            who watches it now
  sightline doctor porch             why is there no video? Each step of a connection, explained
  sightline link porch               a link for somebody to watch it, as text and QR code

Commands talk to --endpoint, SIGHTLINE_ENDPOINT, AWS_ENDPOINT_URL_KINESIS_VIDEO or http://localhost:8080, and to
AWS only with --endpoint aws. `sightline COMMAND --help` shows everything about one of them."""


def build_parser() -> argparse.ArgumentParser:
    """The parser; each command's ``run`` is in ``args.run``."""
    parser = argparse.ArgumentParser(
        prog="sightline",
        description="Live cameras over WebRTC on your own machine, on the wire of Amazon Kinesis Video Streams.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sightline {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for each in (serve, demo, master, view, call, command, viewers, doctor, link, channel, credentials, env):
        each.register(commands)
    return parser
