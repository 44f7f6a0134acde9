# SPDX-License-Identifier: BSD-2-Clause
"""Python's own tests of one module, a line for each with how it went.

usage: pysuite_run.py MODULE [LEAVE-OUT...]    tests whose name contains LEAVE-OUT are not run
"""
import importlib
import os
import sys
import unittest

from test import support

support.use_resources = []  # nothing of the world outside, nothing that takes long
# Lines of results go where nothing else is written.
out = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def flat(suite):
    for t in suite:
        if isinstance(t, unittest.TestSuite):
            yield from flat(t)
        else:
            yield t


class Result(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.how = "ok"

    def worse(self, test, how):
        if not hasattr(test, "_testMethodName"):  # setUpClass and the like
            print("RESULT", test.id(), how, file=out)
        self.how = how

    def addError(self, test, err):
        super().addError(test, err)
        self.worse(test, "ERROR")
        sys.stderr.write("%s\n%s\n" % (test.id(), self.errors[-1][1]))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.worse(test, "FAIL")
        sys.stderr.write("%s\n%s\n" % (test.id(), self.failures[-1][1]))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.worse(test, "skipped")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.worse(test, "FAIL")
            sys.stderr.write("%s\n%s\n" % (test.id(), str(err[1])))

    def stopTest(self, test):
        super().stopTest(test)
        print("RESULT", test.id(), self.how, file=out)


module = importlib.import_module("test." + sys.argv[1])
suite = unittest.defaultTestLoader.loadTestsFromModule(module)
suite = unittest.TestSuite(t for t in flat(suite) if not any(x in t.id() for x in sys.argv[2:]))
suite.run(Result())
print("END", file=out)
out.flush()
os._exit(0)
