# SPDX-License-Identifier: BSD-2-Clause
"""Runs in the machine and on the host: the cases of a module of Python's own test suite, one line for each.

usage: python3 py_cases.py MODULE [PATTERN...]     as test_os

    === test.test_os.FileTests.test_access ok
"""
import faulthandler
import os
import resource
import sys
import tempfile
import traceback
import unittest

LEFT_OUT = "VSOCK"  # they wait for ever for a second machine
OUT = os.fdopen(os.dup(1), "w")


def say(text):
    OUT.write(text + "\n")
    OUT.flush()


class Result(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.verdict = "ok"
        say("--- " + test.id())

    def put(self, verdict, note):
        for line in note.rstrip().splitlines()[-12:]:
            say("  | " + line)
        self.verdict = verdict

    def addError(self, test, err):
        if isinstance(test, unittest.suite._ErrorHolder):  # setUpClass and the like
            say("  | " + "".join(traceback.format_exception(*err))[-800:].replace("\n", "\n  | "))
            say("=== %s error" % test.id().replace(" ", "_"))
            return
        self.put("error", "".join(traceback.format_exception(*err)))

    def addFailure(self, test, err):
        self.put("fail", "".join(traceback.format_exception(*err)))

    def addSkip(self, test, reason):
        if isinstance(test, unittest.suite._ErrorHolder):
            say("=== %s skip" % test.id().replace(" ", "_"))
            return
        self.put("skip", reason)

    def addExpectedFailure(self, test, err):
        self.verdict = "xfail"

    def addUnexpectedSuccess(self, test):
        self.verdict = "xpass"

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.put("fail", "".join(traceback.format_exception(*err)))

    def stopTest(self, test):
        say("=== %s %s" % (test.id(), self.verdict))


def chosen(suite):
    """In their order; a class's cases stay together, so that it is set up once."""
    for t in suite:
        if isinstance(t, unittest.TestSuite):
            yield from chosen(t)
        elif LEFT_OUT not in t.id():
            yield t


def main():
    from test import support
    name = sys.argv[1]
    # The same limit everywhere: some cases look at it.
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    os.chdir(tempfile.mkdtemp())
    faulthandler.enable()
    support.use_resources = ["cpu"]
    support.verbose = 0
    loader = unittest.defaultTestLoader
    if len(sys.argv) > 2:
        loader.testNamePatterns = ["*%s*" % p for p in sys.argv[2:]]
    unittest.TestSuite(chosen(loader.loadTestsFromName("test." + name))).run(Result())
    say("+++ end of " + name)
    os._exit(0)  # threads that a case left behind do not matter


if __name__ == "__main__":
    main()
