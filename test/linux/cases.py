# SPDX-License-Identifier: BSD-2-Clause
"""The programs and inputs that compare.py runs. All of them come from the distribution's packages, unmodified."""


class Case:
    def __init__(self, name, argv, stdin=b"", files=None, include=(), needs=(), memory=None, stderr=True,
                 expect=0, filter=None, build=(), build_env=None,
                 optional=()):
        self.name = name
        self.argv = argv
        self.stdin = stdin.encode() if isinstance(stdin, str) else stdin
        self.files = files or {}
        self.include = list(include)
        self.needs = [argv[0]] + list(needs) if argv[0].startswith("/") else list(needs)
        self.memory = memory
        self.compare_stderr = stderr
        self.expect = expect          # of the host's run: a case whose host run fails tests nothing
        self.filter = filter or (lambda out: out)
        self.build = list(build)      # commands of the host that complete the case's folder
        self.build_env = build_env or {}
        self.optional = list(optional)  # programs of the host that no package of Debian brings: else skipped


GROUPS = {}


def group(name):
    GROUPS[name] = []
    return lambda *args, **kw: GROUPS[name].append(Case(*args, **kw))


WORDS = "".join("%s %d\n" % (w, i * 7919 % 1000) for i, w in enumerate(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon".split() * 5))
BIN = bytes(i * i % 251 for i in range(200000))

# ---- busybox, static ----
add = group("busybox")
BB = "/bin/busybox"
add("busybox echo", [BB, "echo", "hello", "world"])
add("busybox false", [BB, "false"], expect=1)
add("busybox cat stdin", [BB, "cat"], stdin=BIN)
add("busybox pipeline", [BB, "sh", "-c", "busybox seq 1 2000 | busybox grep 7 | busybox sort -rn | busybox head -5"])
add("busybox wide pipeline", [BB, "sh", "-c", "busybox cat | busybox tr a-z A-Z | busybox sed s/A/x/g | busybox awk '{n+=$2} END {print n, NR}'"],
    stdin=WORDS)
add("busybox loop and arithmetic", [BB, "sh", "-c", "i=0; s=0; while [ $i -lt 300 ]; do s=$((s+i)); i=$((i+1)); done; echo $s"])
add("busybox files", [BB, "sh", "-c",
    "mkdir -p d/e && echo one >d/a && cp d/a d/e/b && mv d/e/b d/c && ln -s c d/l && cat d/l && ls -1R d && rm -r d && ls"])
add("busybox subshells and exit codes", [BB, "sh", "-c", "(exit 3); echo $?; false || echo or; true && echo and; (kill -9 $$) ; echo no"],
    expect=137)
add("busybox find and xargs", [BB, "sh", "-c", "mkdir x; for i in 1 2 3; do echo $i >x/$i; done; busybox find x -type f | busybox sort | busybox xargs cat"])
add("busybox md5 and sha", [BB, "sh", "-c", "busybox md5sum in; busybox sha256sum in; busybox wc in"], files={"in": BIN})
add("busybox gzip and tar", [BB, "sh", "-c", "mkdir t; cp in t/1; echo x >t/2; busybox tar cf - t | busybox gzip | busybox gunzip | busybox tar tf - | busybox sort"],
    files={"in": BIN})
add("busybox vi-less tools", [BB, "sh", "-c", "busybox cut -d' ' -f1 w | busybox uniq -c | busybox tail -3; busybox expr 6 \\* 7; busybox printf '%05d\\n' 42"],
    files={"w": WORDS})

# ---- shells ----
add = group("shell")
SH = ["/bin/bash", "-c"]
CORE = ["/usr/bin/" + n for n in ("cat", "sort", "seq", "sleep", "ls", "wc", "head", "tr", "grep", "sed", "mkdir", "rm")]
add("bash arithmetic loops", SH + ["for ((i=0;i<500;i++)); do ((s+=i*i)); done; echo $s"])
add("bash arrays and functions", SH + ["f() { local a=(\"$@\"); echo ${#a[@]} ${a[-1]}; }; f x y 'z w'; declare -A m=([k]=v); echo ${m[k]}"])
add("bash pipeline status", SH + ["set -o pipefail; false | cat; echo ${PIPESTATUS[@]} $?; seq 5 | tr '\\n' ,"], include=CORE)
add("bash jobs and wait", SH + ["sleep 0.05 & p=$!; (exit 7) & q=$!; wait $q; echo $?; wait $p; echo $?; jobs"], include=CORE)
add("bash traps", SH + ["trap 'echo usr1' USR1; trap 'echo bye' EXIT; kill -USR1 $$; kill -TERM $BASHPID 2>/dev/null"], expect=143)
add("bash trap in wait", SH + ["trap 'echo term; exit 5' TERM; (kill -TERM $$) & wait; wait"], expect=5)
add("bash here documents", SH + ["cat <<A | sort\nb $((1+1))\na\nA\nread x <<<'here string'; echo $x"], include=CORE)
add("bash process substitution", SH + ["sort <(echo b; echo a) - <<<c"], include=CORE + ["/dev/fd"] * 0)
add("bash redirections", SH + ["exec 3>f; echo one >&3; echo two >&3; exec 3>&-; cat f; cat nothing 2>err || wc -l <err"], include=CORE)
add("bash command substitution", SH + ["x=$(for i in 1 2 3; do echo $((i*i)); done); echo \"$x\" | wc -l; echo $(( $(echo 20) + 22 ))"], include=CORE)
add("bash globs", SH + ["mkdir g; for i in a b c; do : >g/$i.txt; done; echo g/*.txt; shopt -s extglob\necho g/!(a).txt; rm -r g"], include=CORE)
add("bash coproc", SH + ["coproc C { while read l; do echo got $l; done; }; echo hi >&${C[1]}; read r <&${C[0]}; echo $r"])
add("bash signals to children", SH + ["sleep 30 & kill $!; wait $!; echo $?"], include=CORE, stderr=False)
add("bash ulimit", SH + ["ulimit -n 64; ulimit -n; ulimit -c 0; ulimit -c"])
add("bash read timeout", SH + ["read -t 0.05 x < <(sleep 1); echo $?"], include=CORE)
add("script with interpreter", ["./s.sh", "a b", "c"], files={"s.sh": "#!/bin/bash\necho $# \"$1\" $0\nexit 9\n"}, expect=9, needs=["/bin/bash"])
add("script of a script", ["./t.sh"], files={"t.sh": "#!/usr/bin/env bash\necho env $BASH_VERSION\n"}, needs=["/usr/bin/env"])
add("dash", ["/bin/dash", "-c", "echo $((6*7)); set -- a b c; shift; echo $@; case xyz in x*) echo m;; esac"])

# ---- coreutils and text tools ----
add = group("text")
U = "/usr/bin/"
add("ls -l of files", [U + "ls", "-ln", "--time-style=+%s", "/etc/passwd", "/usr/bin/env"], include=["/etc/passwd", "/usr/bin/env"])
add("cat many", [U + "cat", "a", "b", "a"], files={"a": WORDS, "b": BIN})
add("cat missing", [U + "cat", "nothing"], expect=1)
add("sort numeric", [U + "sort", "-k2,2n", "-k1,1", "w"], files={"w": WORDS})
add("sort large", [U + "sort", "-S", "1M", "w"], files={"w": "".join("%d\n" % (i * 48271 % 65537) for i in range(60000))})
add("uniq comm join", SH + ["sort w | uniq >u; cut -d' ' -f1 u | sort -u >k; comm -12 k k | head -3; join k u | wc -l"], files={"w": WORDS},
    include=[U + n for n in ("sort", "uniq", "cut", "comm", "head", "join", "wc")])
add("wc", [U + "wc", "b"], files={"b": BIN})
add("od", [U + "od", "-An", "-tx1", "-N64", "b"], files={"b": BIN})
add("sha256sum", [U + "sha256sum", "b"], files={"b": BIN})
add("base64 round trip", SH + ["base64 b | base64 -d | cmp - b && echo same"], files={"b": BIN}, include=[U + "base64", U + "cmp"])
add("dd", [U + "dd", "if=b", "of=c", "bs=1000", "skip=3", "count=7", "status=none"], files={"b": BIN})
add("split and cat", SH + ["split -b 30000 b p.; ls p.*; cat p.* | cmp - b && echo same"], files={"b": BIN}, include=[U + "split", U + "ls", U + "cat", U + "cmp"])
add("cp -a, mv, ln, stat", SH + ["mkdir d; echo x >d/f; ln d/f d/g; ln -s f d/s; cp -a d e; stat -c '%F %s %h %a' e/f e/s; mv e h; readlink h/s; realpath h/s | xargs basename"],
    include=[U + n for n in ("mkdir", "ln", "cp", "stat", "mv", "readlink", "realpath", "xargs", "basename")])
add("rm -rf of a tree", SH + ["for i in $(seq 60); do mkdir -p t/$((i%7))/$i; : >t/$((i%7))/$i/f; done; find t -type f | wc -l; rm -rf t; ls -A"],
    include=[U + n for n in ("seq", "mkdir", "find", "wc", "rm", "ls")])
add("chmod, umask, test", SH + ["umask 027; : >f; stat -c %a f; chmod u+x,g-r f; stat -c %a f; test -x f && echo x; touch -d @1000000000 f; stat -c %Y f"],
    include=[U + n for n in ("stat", "chmod", "touch", "test")])
add("date", [U + "date", "-u", "-d", "@1700000000", "+%F %T"])
add("printf and seq", SH + ["printf '%s-%d-%x\\n' a 42 255; seq -s, 1 3 20; factor 1234567890"], include=[U + "seq", U + "factor"])
add("tee", SH + ["echo data | tee a b >c; cat a b c"], include=[U + "tee", U + "cat"])
add("timeout", SH + ["timeout 0.1 sleep 10; echo $?"], include=[U + "timeout", U + "sleep"])
add("env and printenv", [U + "env", "-i", "A=1", U + "printenv"], include=[U + "printenv"])
add("nproc, uname -s, id", SH + ["uname -sm; id -u; id -g"], include=[U + "uname", U + "id"])
add("grep", [U + "grep", "-nE", "^(a|z)[a-z]+ [0-9]{3}$", "w"], files={"w": WORDS})
add("grep none", [U + "grep", "-q", "nowhere", "w"], files={"w": WORDS}, expect=1)
add("sed", [U + "sed", "-n", "s/\\([a-z]*\\) \\([0-9]*\\)/\\2:\\1/;3,9p", "w"], files={"w": WORDS})
add("sed in place", SH + ["sed -i s/alpha/OMEGA/ w; head -1 w"], files={"w": WORDS}, include=[U + "sed", U + "head"])
add("gawk", [U + "gawk", "{c[$1]+=$2} END {n=asorti(c,k); for(i=1;i<=n;i++) printf \"%s %d %.3f\\n\", k[i], c[k[i]], c[k[i]]/7}", "w"], files={"w": WORDS})
add("tar and gzip", SH + ["mkdir t; cp b t/1; cp w t/2; tar czf a.tgz t; mkdir o; tar xzf a.tgz -C o; cmp t/1 o/t/1 && tar tvf a.tgz | wc -l"],
    files={"b": BIN, "w": WORDS}, include=[U + n for n in ("mkdir", "cp", "tar", "gzip", "cmp", "wc")])
add("gzip round trip", SH + ["gzip -9 <b >z; gzip -dc z | cmp - b && echo same"], files={"b": BIN}, include=[U + "gzip", U + "cmp"])
add("diff", [U + "diff", "-u", "--label", "x", "--label", "y", "a", "b"], files={"a": WORDS, "b": WORDS.replace("gamma", "GAMMA", 2)}, expect=1)
add("find", [U + "find", ".", "-name", "*.c", "-size", "-2", "-printf", "%p %s\\n"], files={"a.c": "int x;\n", "d/b.c": "int y;\n", "d/c.h": "\n"},
    filter=lambda o: b"".join(sorted(o.splitlines(True))))

# ---- languages ----
add = group("lang")
add("lua", ["/usr/bin/lua5.4", "-e", "local t={} for i=1,20000 do t[i]=(i*7919)%10007 end table.sort(t) print(t[1],t[10000],#t,string.format('%.6f',math.sin(1)))"])
add("lua script with file", ["/usr/bin/lua5.4", "s.lua"], files={"s.lua": "local n=0 for l in io.lines('w') do n=n+#l end print(n, os.getenv('HOME'))\nos.exit(4)\n", "w": WORDS}, expect=4)
add("perl", ["/usr/bin/perl", "-e", "my %h; $h{$_ % 17}++ for 1..5000; print join(',', map {\"$_=$h{$_}\"} sort {$a<=>$b} keys %h), \"\\n\""])
add("perl regex over a file", ["/usr/bin/perl", "-ne", "$n += $1 if /(\\d+)$/; END { print \"$n\\n\" }", "w"], files={"w": WORDS})
add("perl fork and pipe", ["/usr/bin/perl", "-e", "pipe(R,W); if (!fork) { print W \"child\\n\"; exit 3 } close W; print <R>; wait; print $? >> 8, \"\\n\""])
add("perl die", ["/usr/bin/perl", "-e", "die \"gone\\n\""], expect=255)
SQL = "create table t(a integer primary key, b text); begin; " + "".join("insert into t(b) values('row %d');" % (i * 37 % 1000) for i in range(800)) + \
      "commit; create index i on t(b); select count(*), min(b), max(b) from t; select b, count(*) from t group by b order by 2 desc, 1 limit 3; pragma integrity_check;"
add("sqlite3 in memory", ["/usr/bin/sqlite3", ":memory:"], stdin=SQL)
add("sqlite3 file database", SH + ["sqlite3 x.db <in.sql; sqlite3 x.db 'select sum(a) from t'; sqlite3 x.db 'pragma journal_mode=wal; insert into t(b) values(1); select count(*) from t'"],
    files={"in.sql": SQL}, include=["/usr/bin/sqlite3"])

# ---- python ----
add = group("python")
PY = "/usr/bin/python3"


def py(name, text, **kw):
    add("python3 " + name, [PY, "s.py"] + kw.pop("args", []), files=dict({"s.py": text}, **kw.pop("files", {})), memory=kw.pop("memory", "256M"), **kw)


py("hello", "print('hello')\n")
py("exit code", "import sys; sys.stderr.write('to stderr\\n'); sys.exit(42)\n", expect=42)
py("arguments and input", "import sys; print(sys.argv[1:], sys.stdin.read().upper())\n", args=["x", "y z"], stdin="some text\n")
py("json", "import json; d=json.load(open('d.json')); d['n']=[i*i for i in range(50)]; print(json.dumps(d, sort_keys=True, indent=1))\n",
   files={"d.json": '{"a": [1, 2.5, null, true], "b": {"c": "\\u00e9"}}'})
py("re", "import re; t=open('w').read(); print(re.findall(r'(?m)^(\\w*a\\w*) (\\d+)$', t)[:5], len(re.split(r'\\s+', t)))\n", files={"w": WORDS})
py("sqlite3", "import sqlite3; c=sqlite3.connect('p.db'); c.execute('create table t(x,y)'); c.executemany('insert into t values(?,?)', [(i, str(i)) for i in range(3000)]); "
   "c.commit(); print(c.execute('select count(*), sum(x), max(y) from t').fetchall())\n")
py("asyncio", "import asyncio\nasync def serve(r, w):\n  w.write((await r.readline()).upper()); await w.drain(); w.close()\n"
   "async def main():\n  s=await asyncio.start_unix_server(serve, 's')\n  r,w=await asyncio.open_unix_connection('s')\n  w.write(b'hello\\n')\n"
   "  print(await r.readline(), await r.read()); w.close(); s.close()\n  print(await asyncio.gather(*[asyncio.sleep(0.01*i, i) for i in range(3)]))\n"
   "  p=await asyncio.create_subprocess_exec('/bin/cat', stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)\n  print(await p.communicate(b'through cat'))\n"
   "asyncio.run(main())\n", include=["/bin/cat"])
py("multiprocessing pipe and manager", "import multiprocessing as mp\ndef f(c): c.send({'x': list(range(5)), 'big': 'y'*300000}); c.close()\ndef g(d): d['b']=2\n"
   "if __name__=='__main__':\n  a,b=mp.Pipe(); p=mp.Process(target=f, args=(b,)); p.start(); r=a.recv(); print(r['x'], len(r['big'])); p.join()\n"
   "  with mp.Manager() as m:\n    d=m.dict(a=1); p=mp.Process(target=g, args=(d,)); p.start(); p.join(); print(sorted(d.items()), p.exitcode)\n")
py("hashlib", "import hashlib; d=open('b','rb').read(); print([hashlib.new(n,d).hexdigest()[:24] for n in ('md5','sha1','sha256','sha3_256','blake2b')])\n", files={"b": BIN})
py("threading", "import threading\nl=threading.Lock(); n=0\ndef f():\n  global n\n  for _ in range(3000):\n    with l: n+=1\n"
   "t=[threading.Thread(target=f) for _ in range(8)]\n[x.start() for x in t]; [x.join() for x in t]\nprint(n)\n")
py("queue and condition", "import threading, queue\nq=queue.Queue(3); r=[]\ndef c():\n  while (x:=q.get()) is not None: r.append(x*x)\nt=threading.Thread(target=c); t.start()\n"
   "for i in range(200): q.put(i)\nq.put(None); t.join(); print(sum(r))\ne=threading.Event(); print(e.wait(0.02))\n")
py("subprocess", "import subprocess as s\nprint(s.run(['/bin/echo','hi'],capture_output=True).stdout, s.call(['/bin/sh','-c','exit 6']))\n"
   "p=s.Popen(['/usr/bin/tr','a-z','A-Z'],stdin=s.PIPE,stdout=s.PIPE); print(p.communicate(b'pipe'*5000)[0][-8:])\n"
   "p=s.Popen(['/usr/bin/sleep','60']); p.terminate(); print(p.wait())\n"
   "try: s.run(['/usr/bin/sleep','60'],timeout=0.1)\nexcept s.TimeoutExpired: print('timeout')\n"
   "try: s.run(['/no/such'])\nexcept FileNotFoundError as e: print(e.errno)\n",
   include=["/bin/echo", "/bin/sh", "/usr/bin/tr", "/usr/bin/sleep"])
py("multiprocessing", "import multiprocessing as m\ndef f(x): return x*x\nif __name__=='__main__':\n  with m.Pool(3) as p: print(sum(p.map(f, range(500))))\n"
   "  q=m.Queue(); p=m.Process(target=q.put, args=({'a':1},)); p.start(); print(q.get()); p.join(); print(p.exitcode)\n"
   "  v=m.Value('i',0); l=m.Lock()\n  def g():\n    for _ in range(100):\n      with l: v.value+=1\n  ps=[m.Process(target=g) for _ in range(3)]; [p.start() for p in ps]; [p.join() for p in ps]; print(v.value)\n")
py("os and files", "import os, tempfile, shutil, stat\nd=tempfile.mkdtemp(); p=os.path.join(d,'f'); open(p,'w').write('x'*5000); os.chmod(p,0o640)\ns=os.stat(p); print(s.st_size, oct(s.st_mode), s.st_nlink)\n"
   "os.link(p,p+'2'); os.symlink('f',p+'3'); os.rename(p+'2',p+'4'); print(sorted(os.listdir(d)), os.readlink(p+'3'))\nfor e in sorted(os.scandir(d), key=lambda e: e.name): print(e.name, e.is_symlink())\n"
   "shutil.rmtree(d); print(os.path.exists(d))\n")
py("mmap", "import mmap\nf=open('m','w+b'); f.truncate(20000); m=mmap.mmap(f.fileno(),0); m[5000:5005]=b'hello'; m.flush(); print(open('m','rb').read()[4998:5007], m.find(b'llo'))\nm.close()\n"
   "a=mmap.mmap(-1, 1<<20); a.write(b'z'*100); print(a[:3])\n")
py("signals", "import signal, os, time\nr=[]\nsignal.signal(signal.SIGUSR1, lambda s,f: r.append(s)); os.kill(os.getpid(), signal.SIGUSR1); print(r)\n"
   "signal.signal(signal.SIGALRM, lambda s,f: r.append(s)); signal.setitimer(signal.ITIMER_REAL, 0.02); signal.pause(); print(r)\n"
   "signal.pthread_sigmask(signal.SIG_BLOCK,[signal.SIGUSR2]); os.kill(os.getpid(), signal.SIGUSR2); print(signal.sigpending(), signal.sigwait([signal.SIGUSR2]))\n")
py("killed by a signal", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n", expect=137)
py("abort", "import os; os.abort()\n", expect=134, stderr=False)
py("segmentation fault", "import ctypes; ctypes.string_at(0)\n", expect=139, stderr=False)
py("select and poll", "import select, os\nr,w=os.pipe(); print(select.select([r],[w],[],0)[1]==[w]); os.write(w,b'x'); p=select.poll(); p.register(r,select.POLLIN); print(p.poll(10)[0][1])\n"
   "e=select.epoll(); e.register(r,select.EPOLLIN|select.EPOLLET); print(e.poll(1)[0][1], e.poll(0)); os.write(w,b'y'); print(len(e.poll(1)))\n")
py("fork and wait", "import os\nfor i in range(20):\n  p=os.fork()\n  if p==0: os._exit(i)\n  print(os.waitstatus_to_exitcode(os.waitpid(p,0)[1]), end=' ')\nprint()\n")
py("time", "import time\na=time.monotonic(); time.sleep(0.05); b=time.monotonic(); print(0.05 <= b-a < 5, abs(time.time()-time.clock_gettime(time.CLOCK_REALTIME))<1, time.strftime('%Y', time.gmtime(0)))\n")
py("large memory", "x=bytearray(60<<20)\nfor i in range(0,len(x),4096): x[i]=i&255\nprint(sum(x[::4096]))\n")
py("decimal and random", "import decimal, random\ndecimal.getcontext().prec=50; print(decimal.Decimal(2).sqrt())\nrandom.seed(7); print([random.randrange(1000) for _ in range(8)], len(set(random.SystemRandom().randbytes(1000))) > 200)\n")
py("zlib and struct", "import zlib, struct; d=open('b','rb').read(); z=zlib.compress(d,9); print(len(z)<len(d), zlib.decompress(z)==d, zlib.crc32(d), struct.unpack('<IH', d[:6]))\n", files={"b": BIN})
py("traceback", "def f(n): return 1//n\nf(0)\n", expect=1)
py("deep recursion", "import sys; sys.setrecursionlimit(20000)\ndef f(n): return 0 if n==0 else 1+f(n-1)\nprint(f(5000))\n")
