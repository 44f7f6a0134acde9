# SPDX-License-Identifier: BSD-2-Clause
"""Larger programs for compare.py: runtimes with compilers of their own, compilers, tools of developers, media."""
from cases import BIN, PY, SH, U, WORDS, group

MIX = bytes((i * i * 7 + (i >> 5) * 13) % 253 for i in range(400000))

# ---- runtimes: threads, code made at run time, large reservations of addresses ----
add = group("runtimes")
NODE = U + "node"
WORKERS = """const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (isMainThread) {
  const shared = new SharedArrayBuffer(8), n = new Int32Array(shared);
  let done = 0, sum = 0;
  for (let i = 0; i < 3; i++) {
    const w = new Worker(__filename, { workerData: { i, shared } });
    w.on('message', m => { sum += m; });
    w.on('exit', code => { if (++done === 3) console.log('sum', sum, 'shared', Atomics.load(n, 0), code); });
  }
} else {
  let s = 0;
  for (let k = 0; k < 1000; k++) { s += k * workerData.i; Atomics.add(new Int32Array(workerData.shared), 0, 1); }
  parentPort.postMessage(s);
}
"""
NODE_MIX = """const fs = require('fs'), zlib = require('zlib'), crypto = require('crypto'), cp = require('child_process');
const d = fs.readFileSync('b');
console.log(crypto.createHash('sha256').update(d).digest('hex'), zlib.gunzipSync(zlib.gzipSync(d)).equals(d));
fs.mkdirSync('t/u', { recursive: true }); fs.writeFileSync('t/u/f', 'x'.repeat(5000));
console.log(fs.readdirSync('t', { recursive: true }), fs.statSync('t/u/f').size);
console.log(cp.execFileSync('/bin/echo', ['from a child']).toString().trim());
const p = cp.spawn('/bin/cat'); p.stdout.on('data', x => console.log('cat:', String(x))); p.on('close', c => console.log('close', c));
p.stdin.end('through a pipe');
let f = (n) => n < 2 ? n : f(n - 1) + f(n - 2); console.log(f(24));
process.on('SIGUSR2', () => { console.log('usr2'); clearTimeout(t); }); const t = setTimeout(() => console.log('late'), 20000);
setTimeout(() => process.kill(process.pid, 'SIGUSR2'), 10);
fs.promises.readFile('b').then(x => console.log('async', x.length));
process.on('exit', c => console.log('bye', c)); process.exitCode = 3;
"""
WASM = """const b = new Uint8Array([0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,5,3,1,0,1,7,7,1,3,97,100,100,0,0,10,15,1,13,0,32,0,65,0,40,2,0,106,32,1,106,11]);
const i = new WebAssembly.Instance(new WebAssembly.Module(b)); console.log(i.exports.add(40, 2));
// A read beyond the memory is a fault that becomes an exception.
const t = new Uint8Array([0,97,115,109,1,0,0,0,1,6,1,96,1,127,1,127,3,2,1,0,5,3,1,0,1,7,5,1,1,114,0,0,10,9,1,7,0,32,0,40,2,0,11]);
try { new WebAssembly.Instance(new WebAssembly.Module(t)).exports.r(-8); } catch (e) { console.log(e instanceof WebAssembly.RuntimeError, e.message); }
"""
add("node hello", [NODE, "-e", "console.log('hello', [1,2,3].map(x => x * 2))"])
add("node worker_threads", [NODE, "w.js"], files={"w.js": WORKERS}, memory="512M")
add("node files, children, signals", [NODE, "m.js"], files={"m.js": NODE_MIX, "b": BIN}, include=["/bin/echo", "/bin/cat"], expect=3,
    memory="512M", filter=lambda o: b"".join(sorted(o.splitlines(True))))
add("node wasm and its fault handler", [NODE, "w.js"], files={"w.js": WASM})

JAVA_HELLO = """public class Hello {
  public static void main(String[] a) throws Exception {
    System.out.println("hello " + a.length + " " + Runtime.version().feature());
    try { Object o = null; o.hashCode(); } catch (NullPointerException e) { System.out.println("null"); }
    try { deep(0); } catch (StackOverflowError e) { System.out.println("deep"); }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
    System.exit(5);
  }
  static int deep(int n) { return deep(n + 1) + 1; }
}
"""
JAVA_THREADS = """import java.util.*; import java.util.concurrent.*; import java.util.concurrent.atomic.*; import java.nio.file.*;
public class Threads {
  static int plain; static final Object lock = new Object();
  public static void main(String[] a) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(6); AtomicLong sum = new AtomicLong(); List<Future<Integer>> l = new ArrayList<>();
    for (int i = 0; i < 40; i++) { final int k = i; l.add(pool.submit(() -> { for (int j = 0; j < 5000; j++) { sum.addAndGet(k); synchronized (lock) { plain++; } } return k * k; })); }
    int s = 0; for (Future<Integer> f : l) s += f.get(); pool.shutdown();
    System.out.println(s + " " + sum.get() + " " + plain + " " + pool.awaitTermination(5, TimeUnit.SECONDS));
    BlockingQueue<Integer> q = new ArrayBlockingQueue<>(4); Thread t = new Thread(() -> { try { for (int i = 0; i < 500; i++) q.put(i); q.put(-1); } catch (InterruptedException e) { } });
    t.start(); long r = 0; for (int x; (x = q.take()) >= 0; ) r += x; t.join(); System.out.println(r);
    Thread w = new Thread(() -> { try { Thread.sleep(100000); } catch (InterruptedException e) { System.out.println("interrupted"); } }); w.start(); w.interrupt(); w.join();
    byte[][] keep = new byte[64][]; for (int i = 0; i < 3000; i++) keep[i & 63] = new byte[100000]; System.gc(); System.out.println(keep[5].length);
    Path p = Path.of("f"); Files.writeString(p, "text"); System.out.println(Files.size(p) + Files.readString(p));
    Process c = new ProcessBuilder("/bin/echo", "child").start(); System.out.print(new String(c.getInputStream().readAllBytes())); System.out.println(c.waitFor());
  }
}
"""
JAVAC = U + "javac"
add("java hello", [U + "java", "-cp", ".", "Hello", "x"], files={"Hello.java": JAVA_HELLO}, build=[[JAVAC, "Hello.java"]], expect=5)
add("java threads", [U + "java", "-Xmx128m", "-cp", ".", "Threads"], files={"Threads.java": JAVA_THREADS}, build=[[JAVAC, "Threads.java"]],
    include=["/bin/echo"], memory="640M")

GO_MIX = """package main

import ("bufio"; "crypto/sha256"; "fmt"; "io"; "os"; "os/exec"; "os/signal"; "runtime"; "sort"; "strings"; "sync"; "syscall"; "time")

func main() {
	var wg sync.WaitGroup; var mu sync.Mutex; n := 0; c := make(chan int, 8)
	for i := 0; i < 200; i++ { wg.Add(1); go func(i int) { defer wg.Done(); for k := 0; k < 100; k++ { mu.Lock(); n++; mu.Unlock(); runtime.Gosched() }; c <- i }(i) }
	go func() { wg.Wait(); close(c) }()
	s := 0; for x := range c { s += x }; fmt.Println(n, s)
	sig := make(chan os.Signal, 1); signal.Notify(sig, syscall.SIGUSR1); syscall.Kill(os.Getpid(), syscall.SIGUSR1); fmt.Println(<-sig)
	func() { defer func() { fmt.Println("recovered:", recover()) }(); var p *int; *p = 1 }()
	out, err := exec.Command("/bin/echo", "child").Output(); fmt.Printf("%s%v\\n", out, err)
	cmd := exec.Command("/bin/cat"); in, _ := cmd.StdinPipe(); r, _ := cmd.StdoutPipe(); cmd.Start(); io.WriteString(in, "a\\nb\\n"); in.Close()
	for sc := bufio.NewScanner(r); sc.Scan(); { fmt.Println("line", sc.Text()) }; cmd.Wait()
	os.WriteFile("f", []byte(strings.Repeat("x", 70000)), 0644); d, _ := os.ReadFile("f"); fmt.Printf("%x\\n", sha256.Sum256(d))
	ctx := time.After(20 * time.Millisecond); select { case <-ctx: fmt.Println("timer"); case <-sig: }
	// A goroutine that never calls anything: stopped by a signal for the collection.
	stop := false; go func() { for i := 0; !stop; i++ { } }(); keep := [][]byte{}
	for i := 0; i < 200; i++ { keep = append(keep, make([]byte, 100000)); if i % 20 == 0 { keep = nil; runtime.GC() } }
	e, _ := os.ReadDir("."); names := []string{}; for _, x := range e { names = append(names, x.Name()) }; sort.Strings(names); fmt.Println(len(names) > 1)
	stop = true; defer os.Exit(7)
}
"""
GO_ENV = {"GOCACHE": "/tmp/ringfence-test-go", "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "CGO_ENABLED": "0"}
add("go goroutines, signals, children", ["./m"], files={"m.go": GO_MIX}, build=[[U + "go", "build", "-o", "m", "m.go"]], build_env=GO_ENV, include=["/bin/echo", "/bin/cat"],
    needs=[U + "go"], expect=7, memory="256M")
add("go panic", ["./p"], files={"p.go": "package main\nfunc main() { var m map[string]int; m[\"a\"] = 1 }\n"}, build=[[U + "go", "build", "-o", "p", "p.go"]],
    build_env=GO_ENV, needs=[U + "go"], expect=2)

RUST = r"""use std::{collections::HashMap, fs, io::{Read, Write}, process::{Command, Stdio}, sync::{mpsc, Arc, Condvar, Mutex, RwLock}, thread, time::Duration};
fn main() {
    let n = Arc::new(Mutex::new(0u64)); let (tx, rx) = mpsc::sync_channel(4);
    let t: Vec<_> = (0..8).map(|i| { let n = n.clone(); let tx = tx.clone(); thread::spawn(move || { for k in 0..1000 { *n.lock().unwrap() += k; } tx.send(i).unwrap(); }) }).collect();
    drop(tx); let s: i32 = rx.iter().sum(); for x in t { x.join().unwrap(); } println!("{} {}", n.lock().unwrap(), s);
    let pair = Arc::new((Mutex::new(false), Condvar::new())); let p2 = pair.clone();
    let h = thread::spawn(move || { *p2.0.lock().unwrap() = true; p2.1.notify_one(); });
    let mut g = pair.0.lock().unwrap(); while !*g { g = pair.1.wait(g).unwrap(); } drop(g); h.join().unwrap();
    let m = RwLock::new(HashMap::new()); m.write().unwrap().insert("a", 1); println!("{:?}", m.read().unwrap());
    println!("{:?}", thread::spawn(|| { let v: Vec<i32> = vec![]; v[std::hint::black_box(3)] }).join().is_err());
    println!("{:?}", String::from_utf8(Command::new("/bin/echo").arg("child").output().unwrap().stdout));
    let mut c = Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    c.stdin.take().unwrap().write_all(b"piped").unwrap(); let mut o = String::new(); c.stdout.take().unwrap().read_to_string(&mut o).unwrap(); println!("{} {:?}", o, c.wait().unwrap().code());
    fs::create_dir_all("d/e").unwrap(); fs::write("d/e/f", vec![7u8; 100000]).unwrap(); println!("{}", fs::metadata("d/e/f").unwrap().len()); fs::remove_dir_all("d").unwrap();
    let b = std::time::Instant::now(); thread::sleep(Duration::from_millis(20)); println!("{}", b.elapsed() >= Duration::from_millis(20));
    println!("{:?} {}", thread::available_parallelism().is_ok(), fs::read("nothing").unwrap_err()); std::process::exit(9);
}
"""
add("rust threads, children", ["./r"], files={"r.rs": RUST}, build=[["rustc", "-O", "--edition=2021", "r.rs"]], optional=["rustc"], include=["/bin/echo", "/bin/cat"], expect=9,
    stderr=False)

add("ruby", [U + "ruby", "s.rb"], files={"s.rb": "require 'json'; require 'digest'\nputs JSON.generate({a: [1, 2.5, nil]}), Digest::SHA256.hexdigest(File.binread('b'))\n"
    "q = Queue.new; t = 4.times.map { |i| Thread.new { 100.times { |k| q << i * k } } }; t.each(&:join); s = 0; s += q.pop until q.empty?; puts s\n"
    "puts `echo sub`; r, w = IO.pipe; pid = fork { r.close; w.puts 'child'; exit 4 }; w.close; puts r.read; Process.wait pid; puts $?.exitstatus\n"
    "trap('USR1') { puts 'usr1' }; Process.kill('USR1', $$); sleep 0.01\nbegin; raise 'x'; rescue => e; puts e.message; end; exit 6\n", "b": BIN}, expect=6)
add("php", [U + "php", "s.php"], files={"s.php": "<?php echo json_encode(['a'=>[1,2.5,null]]), hash('sha256', file_get_contents('b')), \"\\n\";\n"
    "$p = proc_open(['/bin/cat'], [['pipe','r'],['pipe','w']], $q); fwrite($q[0], 'piped'); fclose($q[0]); echo stream_get_contents($q[1]), proc_close($p), \"\\n\";\n"
    "file_put_contents('f', str_repeat('y', 9000)); echo filesize('f'), preg_replace('/(\\w+) (\\d+)/', '$2', 'ab 12'), \"\\n\"; function g() { yield 1; yield 2; } foreach (g() as $x) echo $x;\n"
    "$l = range(1, 2000); usort($l, fn($a, $b) => $b <=> $a); echo number_format(1234567.891 + $l[0], 2), \"\\n\"; exit(3);\n", "b": BIN}, include=["/bin/cat"], expect=3, stderr=False)

# ---- compilers, make, git ----
add = group("dev")
HELLO_C = "#include <stdio.h>\n#include <math.h>\nint main(int c, char **v) { printf(\"%d %.6f %s\\n\", c, sin(1.0), __VERSION__); return 11; }\n"
add("gcc compiles, the result runs", SH + ["gcc -O2 -Wall -o h h.c -lm && ./h a b; echo $?; gcc -static -g -o s h.c -lm && ./s; echo $?"], files={"h.c": HELLO_C}, include=[U + "gcc"],
    memory="384M")
add("gcc's errors", [U + "gcc", "-c", "e.c"], files={"e.c": "int f(void) { return x; }\n"}, expect=1)
PROJECT = {
    "Makefile": "CFLAGS = -O1 -Wall\nOBJS = main.o list.o text.o\nall: prog lib.a\nprog: $(OBJS)\n\t$(CC) -o $@ $^\nlib.a: list.o text.o\n\tar rcs $@ $^\n"
                "%.o: %.c list.h\n\t$(CC) $(CFLAGS) -c -o $@ $<\ncheck: prog\n\t./prog one two | grep -c O\nclean:\n\trm -f *.o prog lib.a\n.PHONY: all check clean\n",
    "list.h": "struct node { struct node *next; const char *s; };\nstruct node *push(struct node *l, const char *s);\nint shout(const char *s);\n",
    "list.c": "#include <stdlib.h>\n#include \"list.h\"\nstruct node *push(struct node *l, const char *s) { struct node *n = malloc(sizeof *n); n->next = l; n->s = s; return n; }\n",
    "text.c": "#include <ctype.h>\n#include <stdio.h>\n#include \"list.h\"\nint shout(const char *s) { while (*s) putchar(toupper(*s++)); return putchar('\\n'); }\n",
    "main.c": "#include \"list.h\"\nint main(int c, char **v) { struct node *l = 0; for (int i = 0; i < c; i++) l = push(l, v[i] + (i == 0 ? 0 : 0)); for (; l; l = l->next) shout(l->s); return 0; }\n",
}
BUILDERS = [U + n for n in ("gcc", "cc", "ar", "grep", "rm", "make", "nm", "touch")]
add("make builds a project", SH + ["make -j3 --output-sync=target | sort && ./prog x y; make -s check; touch list.h; make -q; echo $?; nm lib.a | grep -c ' T '; make -s clean; ls"],
    files=PROJECT, include=BUILDERS + [U + "sort", U + "ls"], memory="512M")
GIT = ("export GIT_AUTHOR_DATE=2024-01-02T03:04:05Z GIT_COMMITTER_DATE=2024-01-02T03:04:05Z GIT_CONFIG_GLOBAL=/dev/null\n"
       "git -c init.defaultBranch=main init -q r && cd r && git config user.name T && git config user.email t@example.org\n"
       "for i in 1 2 3; do echo line $i >>f; cp ../b b$i; git add . && git commit -qm \"change $i\"; done\n"
       "git log --format='%h %s' && git checkout -qb side HEAD~1 && echo s >g && git add g && git commit -qm side && git checkout -q main && git merge -q -m merge side && git diff --stat HEAD~1\n"
       "cd .. && git clone -q r c && cd c && git log --oneline --graph | head -20 && git gc -q && git fsck 2>&1 | wc -l && git status -s && git blame -s f | cat && git grep -n line HEAD~1 -- f\n"
       "git archive HEAD | tar tf - | sort; git stash list; git rev-parse HEAD; cat nothing 2>/dev/null || git describe --always\n")
add("git", SH + [GIT], files={"b": MIX}, include=["/usr/bin/git", "/usr/bin/tar", "/usr/bin/sort", "/usr/bin/wc", "/usr/bin/head", "/usr/bin/cp", "/usr/bin/cat"], memory="384M")
add("git clone by file protocol", SH + ["export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_DATE=@1700000000+0000 GIT_COMMITTER_DATE=@1700000000+0000; git init -q --bare o.git; git clone -q file://$PWD/o.git w 2>/dev/null; cd w; "
    "git config user.name T; git config user.email t@e; git checkout -qb m; cp ../b .; git add b; git commit -qm one; git push -q origin m; cd ..; git clone -q -b m file://$PWD/o.git v; cmp b v/b && git -C v log --oneline"],
    files={"b": MIX}, include=["/usr/bin/git", "/usr/bin/cmp", "/usr/bin/cp"], memory="384M")

# ---- tools ----
add = group("tools")
add("openssl genpkey and req", SH + ["openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out k.pem && openssl req -x509 -key k.pem -subj /CN=test -days 2 -out c.pem && "
    "openssl x509 -in c.pem -noout -subject && openssl verify -CAfile c.pem c.pem && openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 2>/dev/null | head -1"], include=[U + "openssl", U + "head"])
add("openssl enc and dgst", SH + ["openssl enc -aes-256-cbc -pbkdf2 -pass pass:secret -S 0102030405060708 -in b -out e && openssl enc -d -aes-256-cbc -pbkdf2 -S 0102030405060708 -pass pass:secret -in e | cmp - b && openssl dgst -sha512 b e"],
    files={"b": BIN}, include=[U + "openssl", U + "cmp"])
add("openssl speed", SH + ["openssl speed -seconds 1 -bytes 1024 sha256 2>&1 | grep -c sha256"], include=[U + "openssl", U + "grep"])
add("jq", [U + "jq", "-S", "[.a[] | select(. > 1) | {v: ., t: (tostring + \"x\")}] | {list: ., n: length}", "d.json"], files={"d.json": '{"a": [1, 2, 3.5]}'})
add("rsync local", SH + ["mkdir -p s/t && cp b s/1 && cp w s/t/2 && ln -s 1 s/l && chmod 640 s/1 && rsync -a s/ d/ && diff -r s d && echo more >>s/t/2 && touch -d @1000000000 s/t/2 && rsync -ai --delete s/ d/ | sed 's/ .*\\// /' && diff -r s d && echo same"],
    files={"b": BIN, "w": WORDS}, include=[U + n for n in ("rsync", "cp", "mkdir", "ln", "chmod", "diff", "sed", "touch")])
add("xz", SH + ["xz -k -2 b && xz -t b.xz && xz -dc b.xz | cmp - b && xz -T2 -1 -c b | xz -d | sha256sum"], files={"b": MIX}, include=[U + n for n in ("xz", "cmp", "sha256sum")], memory="384M")
add("zstd -T0", SH + ["zstd -q -T0 -5 b -o z && zstd -q -d z -c | cmp - b && zstd -lq z | wc -l; zstd -q -T3 --fast b -c | zstd -dc | sha256sum"], files={"b": MIX * 3}, include=[U + n for n in ("zstd", "cmp", "wc", "sha256sum")],
    memory="384M")
add("ripgrep", SH + ["mkdir -p d/e; for i in 1 2 3 4 5 6; do cp w d/$i.txt; cp w d/e/$i.c; done; rg -c gamma d | sort; rg -n --no-heading 'k.*5$' d/1.txt; rg -tc --files d | sort; rg nothing d; echo $?"], files={"w": WORDS},
    include=[U + n for n in ("rg", "cp", "mkdir", "sort")])
add("cpio, split with filters", SH + ["find . -name '[bw]' | sort | cpio -o --quiet -H newc --reproducible 2>/dev/null | wc -c; dd if=b bs=64k 2>/dev/null | split -n r/3 --filter 'wc -c'"], files={"b": MIX, "w": WORDS},
    include=[U + n for n in ("find", "sort", "cpio", "wc", "dd", "split")], stderr=False)
add("python big numbers", [PY, "-c", "import math; print(math.factorial(200), math.isqrt(10**80))"], memory="256M")

# ---- media ----
add = group("media")
CONVERT = "/usr/bin/convert-im6.q16"
add("imagemagick", SH + ["convert-im6.q16 -size 120x80 gradient:red-blue -fill white -draw 'circle 60,40 60,10' a.png && convert-im6.q16 a.png -resize 50% -rotate 90 -blur 0x1 b.ppm && sha256sum b.ppm && "
    "identify-im6.q16 -format '%wx%h %m\\n' a.png b.ppm && convert-im6.q16 a.png -quality 80 c.jpg && identify-im6.q16 -format '%wx%h %m %Q\\n' c.jpg"],
    include=[CONVERT, "/usr/bin/identify-im6.q16", U + "sha256sum"], needs=[CONVERT], memory="384M")

# ---- what takes long ----
add = group("long")
HELLO_CC = """#include <cstdio>
#include <map>
#include <stdexcept>
#include <thread>
#include <vector>
int main() {
  std::vector<std::thread> t; std::map<int, int> m; int n = 0;
  for (int i = 0; i < 4; i++) t.emplace_back([i, &n] { if (i == 0) n = 7; });
  for (auto &x : t) x.join();
  try { throw std::runtime_error("thrown"); } catch (const std::exception &e) { m[1] = printf("%s %d\\n", e.what(), n); }
  return m[1];
}
"""
LEAK_C = "#include <stdlib.h>\nint main(void) { char *p = malloc(10); p[10] = 1; p = malloc(20); return p == 0; }\n"
add("g++ compiles, the result runs", SH + ["g++ -O1 -o h h.cc -pthread && ./h; echo $?"], files={"h.cc": HELLO_CC}, include=[U + "g++"], memory="768M")
add("cmake and make", SH + ["cmake -S . -B b >/dev/null && make -s -C b && b/x; echo $?"],
    files={"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(x C)\nadd_executable(x x.c)\n", "x.c": "int main(void) { return 5; }\n"},
    include=[U + n for n in ("cmake", "make", "gcc", "cc", "ar", "ranlib")], memory="768M")
add("javac", SH + ["javac Hello.java && java -cp . Hello x; echo $?"], files={"Hello.java": JAVA_HELLO}, include=[U + "javac", U + "java"], memory="1G")
add("valgrind finds errors", SH + ["valgrind -q --error-exitcode=9 --leak-check=full ./l 2>&1 | sed 's/==[0-9]*==/==/; s/0x[0-9A-F]*/0x/g'; echo ${PIPESTATUS[0]}"],
    files={"l.c": LEAK_C}, build=[[U + "gcc", "-g", "-o", "l", "l.c"]], include=[U + "valgrind", U + "sed"], memory="768M")
add("npm", [U + "npm", "--version"], needs=[U + "npm"], memory="768M")
