"""The rules of `tests/rules`, each shown to catch what it is for and to let the rest pass."""

import pytest

LOOPS = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
ASYNC = ("-p", "tests.rules.tasks", *LOOPS)
SKIPPING = ("-p", "tests.rules.skips", *LOOPS)
LOOPBACK = ("-p", "tests.rules.loopback", *LOOPS)


@pytest.fixture
def allowed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of allowed skips with one exact reason and one pattern."""
    path = pytester.path / "allowed_skips.txt"
    path.write_text("# a comment\nno camera\nneeds * on Linux\n")
    monkeypatch.setattr("tests.rules.skips.ALLOWED", path)


SKIPS = """
    import pytest

    @pytest.mark.skip(reason="no camera")
    def test_allowed(): ...

    def test_allowed_by_pattern():
        pytest.skip("needs a kernel on Linux")

    @pytest.mark.skip(reason="flaky")
    def test_marked(): ...

    def test_skips_itself():
        pytest.skip("later")

    @pytest.mark.xfail(reason="known")
    def test_expected_failure():
        assert False
"""


@pytest.mark.usefixtures("allowed")
def test_in_ci_a_skip_without_an_allowed_reason_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(SKIPS)
    result = pytester.runpytest_inprocess(*SKIPPING)
    # A marked test is refused before it is set up, which pytest counts as an error.
    result.assert_outcomes(skipped=2, failed=1, errors=1, xfailed=1)
    result.stdout.fnmatch_lines(["*'flaky' is not among the reasons*", "*'later' is not among the reasons*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.usefixtures("allowed")
def test_outside_ci_skips_stay_skips(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(SKIPS)
    pytester.runpytest_inprocess(*SKIPPING).assert_outcomes(skipped=4, xfailed=1)


@pytest.mark.usefixtures("allowed")
def test_in_ci_a_skipped_module_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile("import pytest\npytest.skip('all of it', allow_module_level=True)")
    result = pytester.runpytest_inprocess(*SKIPPING)
    result.stdout.fnmatch_lines(["*'all of it' is not among the reasons*"])
    assert result.ret != pytest.ExitCode.OK


def test_a_task_left_behind_fails_its_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio

        async def test_leaks():
            asyncio.get_running_loop().create_task(asyncio.sleep(60), name="forgotten")

        async def test_clean():
            await asyncio.create_task(asyncio.sleep(0))

        def test_without_a_loop(): ...
        """
    )
    result = pytester.runpytest_inprocess(*ASYNC)
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*left 1 task*", "*forgotten*"])


def test_a_fixture_may_keep_tasks_until_its_own_end(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio, contextlib, pytest

        @pytest.fixture
        async def server():
            task = asyncio.get_running_loop().create_task(asyncio.sleep(60))
            yield
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        async def test_uses_it(server): ...
        """
    )
    pytester.runpytest_inprocess(*ASYNC).assert_outcomes(passed=1)


def test_a_failed_test_is_not_blamed_twice(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio

        async def test_fails():
            asyncio.get_running_loop().create_task(asyncio.sleep(60))
            assert False
        """
    )
    pytester.runpytest_inprocess(*ASYNC).assert_outcomes(failed=1)


def test_leaving_the_machine_is_refused_and_reported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket, pytest

        def test_connects():
            with socket.socket() as s, pytest.raises(OSError):
                s.connect(("8.8.8.8", 53))

        def test_sends():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, pytest.raises(OSError):
                s.sendto(b"x", ("8.8.8.8", 53))

        def test_looks_up():
            with pytest.raises(socket.gaierror):
                socket.getaddrinfo("stun.sightline.dev", 3478)

        def test_dead_address():
            with socket.socket() as s, pytest.raises(OSError):
                s.connect(("192.0.2.1", 53))
            with pytest.raises(socket.gaierror):
                socket.getaddrinfo("nowhere.invalid", 80)

        def test_loopback():
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(("localhost", server.getsockname()[1])).close()
        """
    )
    result = pytester.runpytest_inprocess(*LOOPBACK)
    result.assert_outcomes(passed=5, errors=3)
    result.stdout.fnmatch_lines(["*tried to leave this machine*"])


WHOLLY = ("import pytest", "pytestmark = pytest.mark.realtime", "def test_one(): ...", "def test_two(): ...")
IN_PART = ("import pytest", "@pytest.mark.realtime", "def test_one(): ...", "def test_two(): ...")


@pytest.mark.parametrize(("stage", "count", "read"), [("realtime", 3, "wholly"), ("not realtime", 2, "neither")])
def test_a_file_of_another_stage_is_not_read(pytester: pytest.Pytester, stage: str, count: int, read: str) -> None:
    pytester.makeini("[pytest]\nmarkers = realtime: waits")
    pytester.makepyfile(
        test_wholly="\n".join(WHOLLY + (("1 / 0",) if read != "wholly" else ())),
        test_in_part="\n".join(IN_PART),
        test_neither="\n".join(("def test_one(): ...", *(("1 / 0",) if read != "neither" else ()))),
    )
    result = pytester.runpytest_inprocess("-p", "tests.rules.stages", "-m", stage, *LOOPS)
    result.assert_outcomes(passed=count, deselected=1)
