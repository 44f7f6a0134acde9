#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Keys named by --secret: unmodified servers use them, nobody reads them, and what cannot be kept is refused. TAP."""
import os
import re
import shutil
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from e2e import BUILD, FOLDER, Service, certificate, equal, expect, file_with, free_port, host, main, rf, test, until  # noqa: E402

THIEF = os.path.join(BUILD, "prog/test/attack/secret/thief")
SITE = "/etc/ssl/private/site.key"
RSA_PARTS = ("privateExponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient")
PYTHON_SERVER = """
import http.server, ssl
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from " + self.connection.version().encode())
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/etc/ssl/site.crt", "%s")
server = http.server.ThreadingHTTPServer(("", 8443), Hello)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
""" % SITE
NGINX = """
user www-data;
worker_processes 2;
pid /run/nginx.pid;
events { worker_connections 64; }
http {
    server {
        listen 443 ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate /etc/ssl/site.crt;
        ssl_certificate_key %s;
        ssl_certificate /etc/ssl/curve.crt;
        ssl_certificate_key /etc/ssl/private/curve.key;
        location / { return 200 "hello from $ssl_protocol $pid\\n"; }
    }
}
""" % SITE


def parts_of(key):
    """The secret numbers of a key, big-endian."""
    text = host("openssl", "pkey", "-in", key, "-noout", "-text").stdout.decode()
    names = RSA_PARTS if "prime1" in text else ("priv",)
    found = [re.search(r"^%s:\n((?: +[0-9a-f:]+\n)+)" % n, text, re.M).group(1) for n in names]
    return [bytes.fromhex(re.sub(r"[^0-9a-f]", "", f)).lstrip(b"\0") for f in found]


def pieces(key):
    """What no leak may hold: eight bytes out of each number, in both orders, and of the file's text."""
    out = []
    for p in parts_of(key):
        for number in (p, p[::-1]):
            out += [number[i:i + 8] for i in range(0, len(number) - 8, 4)]
    text = [line for line in open(key, "rb").read().split(b"\n") if not line.startswith(b"-")][2:]
    return out + [line[i:i + 12] for line in text for i in range(0, len(line) - 12, 6)]


def holds(data, key):
    return any(p in data for p in pieces(key))


def keys():
    """An RSA and a P-256 key with certificates: (key, certificate) of each."""
    if not os.path.exists(os.path.join(FOLDER, "curve.key")):
        certificate("site")
        certificate("curve", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    return [tuple(os.path.join(FOLDER, name + end) for end in (".key", ".crt")) for name in ("site", "curve")]


def options(protected=True):
    (site, site_crt), (curve, curve_crt) = keys()
    how = "--secret" if protected else "--include"
    return (how, site + ":" + SITE, how, curve + ":/etc/ssl/private/curve.key", "--include", site_crt + ":/etc/ssl/site.crt",
            "--include", curve_crt + ":/etc/ssl/curve.crt", "-m", "192M")


def handshake(port, version, algorithm, cert):
    """The peer's kind of signature, verified against its certificate."""
    p = host("openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-" + version, "-sigalgs", algorithm, "-CAfile", cert,
             input=b"")
    out = p.stdout.decode() + p.stderr.decode()
    expect("Verify return code: 0 (ok)" in out or "Verification: OK" in out, out[-1500:])
    return re.search(r"Peer signature type: (.*)", out).group(1)


def nginx(name, protected=True):
    conf = file_with("tls.conf", NGINX)
    return Service(name, "nginx", "-c", "/etc/nginx/tls.conf", ports=(443,),
                   options=(*options(protected), "--include", conf + ":/etc/nginx/tls.conf", "--include", THIEF + ":/bin/thief",
                            "--also", "cat", "--also", "sh"), env={} if protected else {"XDG_CACHE_HOME": os.path.join(FOLDER, "dull")})


def all_handshakes(port):
    (_, site), (_, curve) = keys()
    for version in ("tls1_2", "tls1_3"):
        expect("RSA" in handshake(port, version, "RSA-PSS+SHA256", site), "an RSA signature")
        equal(handshake(port, version, "ECDSA+SHA256", curve), "ECDSA")
    equal(handshake(port, "tls1_2", "RSA+SHA384", site), "RSA")


def workers(web):
    master = web.exec("cat", "/run/nginx.pid").stdout.decode().strip()
    script = "for f in /proc/[0-9]*/stat; do read p c s pp r <$f && [ $pp = %s ] && [ $c = '(nginx)' ] && echo $p; done" % master
    return master, web.exec("sh", "-c", script).stdout.decode().split()


def memory_of(web, pids):
    return b"".join(web.exec("/bin/thief", "--dump", pid).stdout for pid in pids)


@test
def nginx_serves_with_rsa_and_ecdsa_and_reloads():
    with nginx("web") as web:
        all_handshakes(web.port(443))
        out = host("curl", "-sS", "--cacert", keys()[1][1], "https://localhost:%d/" % web.port(443)).stdout
        expect(out.startswith(b"hello from TLSv1.3"), out)
        master, before = workers(web)
        equal(len(before), 2)
        web.signal("HUP")
        until(lambda: len(workers(web)[1]) == 2 and not set(workers(web)[1]) & set(before), "new workers")
        equal(workers(web)[0], master)
        all_handshakes(web.port(443))
        expect("ringfence: key" not in web.log() and "SSL error" not in web.log(), web.log())


@test
def nothing_of_the_keys_is_in_the_memory_of_nginx():
    with nginx("dull", protected=False) as web:
        all_handshakes(web.port(443))
        dump = memory_of(web, [workers(web)[0]])
        expect(holds(dump, keys()[0][0]) and holds(dump, keys()[1][0]), "an ordinary nginx has its keys in memory")
    with nginx("kept") as web:
        all_handshakes(web.port(443))
        master, children = workers(web)
        dump = memory_of(web, [master, *children])
        expect(len(dump) > 3 << 20 and b"hello from" in dump, "its memory was read: %d bytes" % len(dump))
        for key, _ in keys():
            expect(not holds(dump, key), "no piece of " + key)


@test
def the_file_is_a_name():
    with nginx("name") as web:
        for path in (SITE, "/etc/ssl/private/curve.key"):
            text = web.exec("cat", path).stdout
            expect(text.startswith(b"-----BEGIN PRIVATE KEY-----") and len(text) < 300, text)
            expect(not any(holds(text, key) for key, _ in keys()), "the name holds the key")
        p = web.exec("cat", "/etc/ringfence/secret/0")
        expect(p.stdout == b"" and b"Permission denied" in p.stderr, p)


@test
def python_serves_with_rsa():
    script = file_with("server.py", PYTHON_SERVER)
    with Service("py", "python3", script, ports=(8443,), options=options()) as web:
        cert = keys()[0][1]
        for version in ("1.2", "1.3"):
            p = host("curl", "-sS", "--cacert", cert, "--tlsv" + version, "--tls-max", version, "https://localhost:%d/" % web.port(8443))
            equal(p.stdout, b"hello from TLSv" + version.encode())


def thief(*args, more=()):
    return rf("run", "-u", "root", *more, "--", THIEF, *args, timeout=120)


@test
def a_thief_with_all_rights_gets_nothing():
    p = thief("--open", "/srv/ordinary", more=("--include", file_with("ordinary", "x" * 100) + ":/srv/ordinary"))
    expect(p.returncode == 0 and p.stdout.count(b"\nok") > 12, (p.stdout + p.stderr).decode())
    p = thief("/etc/ringfence/secret/0", more=("--also", "openssl", "--secret", keys()[0][0] + ":" + SITE))
    expect(p.returncode == 0 and p.stdout.count(b"ok") > 25 and b"1.." in p.stdout, (p.stdout + p.stderr).decode())


# ---- the image ----

@test
def an_image_holds_the_key_once_and_runs():
    key = keys()[0][0]
    image = os.path.join(FOLDER, "signer.img")
    linked = os.path.join(FOLDER, "more")
    os.makedirs(linked)
    os.link(key, linked + "/hard.key")
    os.symlink(key, linked + "/soft.key")
    p = rf("build", "-o", image, "--secret", key, "--include", linked, "--also", "openssl", "--also", "cat", "sh")
    equal(p.returncode, 0)
    equal(stat.S_IMODE(os.stat(image).st_mode), 0o600)
    with open(image, "rb") as f:
        data = f.read()
    with open(key, "rb") as f:
        text = f.read()
    for line in text.split(b"\n")[2:-2]:
        equal(data.count(line), 0)
    binary = host("openssl", "pkey", "-in", key, "-outform", "DER").stdout
    for part in parts_of(key):
        equal(data.count(part), 1)
    p = rf("inspect", image)
    expect(p.returncode == 0 and b"Secrets       /etc/ringfence/secret/0\n" in p.stdout, p)
    script = ("cat %s/hard.key %s/soft.key; echo text >/tmp/m; openssl dgst -sha256 -sign %s -out /tmp/s /tmp/m && "
              "openssl pkey -in %s -pubout -out /tmp/p && openssl dgst -sha256 -verify /tmp/p -signature /tmp/s /tmp/m"
              % (linked, linked, key, key))
    expect(binary in data, "the whole key")
    expect(holds(data.replace(binary, b""), key) is False, "pieces of it")
    p = rf("run", image, "-c", script)
    expect(p.returncode == 0 and b"Verified OK" in p.stdout and not holds(p.stdout, key), p)
    cached = [os.path.join(d, f) for d, _, files in os.walk(os.environ["XDG_CACHE_HOME"]) for f in files]
    for path in cached:
        with open(path, "rb") as f:
            expect(not holds(f.read(), key), "left in the cache: " + path)


def refused(says, *args, env=None):
    p = rf("run", *args, env=dict(os.environ, **(env or {})))
    expect(p.returncode == 125 and says.encode() in p.stderr, "%r: %d %r" % (says, p.returncode, p.stderr))


def with_secret(key, *more):
    return ("--secret", key, "--also", "openssl", *more, "--", "/bin/true")


@test
def copies_of_the_key_are_found():
    key = keys()[0][0]
    copy = os.path.join(FOLDER, "copies/copy")
    os.makedirs(os.path.dirname(copy))
    with open(key) as f:
        text = f.read()
    hexadecimal = parts_of(key)[1].hex()
    for content in (text, text.replace("\n", "\\n"), hexadecimal):
        file_with("copies/copy", "something else\n" * 9999 + content)
        refused("/copy would be in the image and holds the secret", *with_secret(key, "--include", copy))
    for form in (["rsa", "-traditional"], ["rsa", "-outform", "DER"], ["pkcs8", "-topk8", "-nocrypt"], ["rsa", "-text"]):
        equal(host("openssl", *form, "-in", key, "-out", copy).returncode, 0)
        refused("/copy would be in the image and holds the secret", *with_secret(key, "--include", os.path.dirname(copy)))
    refused("holds the secret", *with_secret(key), "-c", text)
    refused("holds the secret", "-e", "KEY=" + text.replace("\n", " "), *with_secret(key))
    equal(rf("run", *with_secret(key)).returncode, 0)


@test
def a_file_with_key_and_certificate():
    (key, cert), _ = keys()
    both = file_with("both.pem", open(cert).read() + open(key).read())
    p = rf("run", "--secret", both, "--also", "openssl", "--", "/bin/sh", "-c",
           "openssl x509 -in %s -noout -subject && openssl pkey -in %s -noout -check 2>&1; openssl list -providers" % (both, both))
    expect(b"CN = site" in p.stdout and b"Ringfence" in p.stdout, p)


@test
def a_key_in_every_form_signs():
    """What stands around a key, and how its lines end, is of no interest; nor is what follows DER."""
    (key, cert), (curve, _) = keys()
    text = open(key).read()
    rsa = ("openssl", "rsa", "-in", key, "-traditional")
    forms = {"crlf": text.replace("\n", "\r\n").encode(), "mark": b"\xef\xbb\xbf" + text.encode(),
             "around": ("Bag Attributes\n  friendlyName: x\n" + open(cert).read() + "a remark\n" + text + open(cert).read()).encode(),
             "pkcs8": host("openssl", "pkey", "-in", key, "-outform", "DER").stdout, "pkcs1": host(*rsa, "-outform", "DER").stdout,
             "pkcs1-text": host(*rsa).stdout, "sec1": host("openssl", "ec", "-in", curve, "-outform", "DER").stdout,
             "sec1-text": host("openssl", "ec", "-in", curve).stdout}
    forms["followed"] = forms["pkcs8"] + b"something else"
    options, script = [], ""
    for name, data in forms.items():
        path = os.path.join(FOLDER, "forms", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        options += ["--secret", path]
        script += "openssl dgst -sha256 -sign %s -out /tmp/s /bin/sh && openssl pkey -in %s -pubout -out /tmp/p && " \
                  "openssl dgst -sha256 -verify /tmp/p -signature /tmp/s /bin/sh && echo %s signs\n" % (path, path, name)
    p = rf("run", *options, "--also", "openssl", "--", "/bin/sh", "-c", script)
    for name in forms:
        expect(b"%s signs" % name.encode() in p.stdout, "%s: %s" % (name, (p.stdout + p.stderr).decode()[-2000:]))


LIGHTTPD = """server.modules = ("mod_openssl")
server.document-root = "/etc"
server.port = 8443
ssl.engine = "enable"
ssl.pemfile = "/etc/ssl/both.pem"
dir-listing.activate = "enable"
"""
HAPROXY = """defaults
  mode http
  timeout connect 9s
  timeout client 9s
  timeout server 9s
frontend web
  bind :8443 ssl crt /etc/ssl/both.pem
  http-request return status 200 content-type text/plain string "hello"
"""


def one_file_server(name, conf, *argv):
    """Servers that want key and certificate in one file."""
    (key, cert), _ = keys()
    both = file_with("both.pem", open(cert).read() + open(key).read())
    path = file_with(name + ".conf", conf)
    options = ("--secret", both + ":/etc/ssl/both.pem", "--include", path, "-m", "192M")
    with Service(name, *argv, path, ports=(8443,), options=options) as web:
        p = host("curl", "-sS", "--cacert", cert, "https://localhost:%d/" % web.port(8443))
        equal(p.returncode, 0)


@test
def lighttpd_and_haproxy_serve():
    one_file_server("lighttpd", LIGHTTPD, "lighttpd", "-D", "-f")
    one_file_server("haproxy", HAPROXY, "haproxy", "-f")


@test
def redis_serves():
    (key, cert), _ = keys()
    with Service("redis", "redis-server", "--port", "0", "--tls-port", "6380", "--tls-cert-file", cert, "--tls-key-file", key,
                 "--tls-auth-clients", "no", "--protected-mode", "no", ports=(6380,),
                 options=("--secret", key, "--include", cert)) as web:
        p = host("redis-cli", "--tls", "--cacert", cert, "-h", "localhost", "-p", str(web.port(6380)), "set", "a", "5")
        equal(p.stdout.strip(), b"OK")


@test
def a_processor_without_smap_serves_nothing():
    qemu = file_with("qemu", "#!/bin/bash\nfor w; do a+=(\"${w/#max/max,-smap}\"); done\nexec qemu-system-x86_64 \"${a[@]}\"\n")
    os.chmod(qemu, 0o755)
    conf = file_with("tls.conf", NGINX)
    p = rf("run", *options(), "-p", "127.0.0.1:%d:443" % free_port(), "--include", conf + ":/etc/nginx/tls.conf", "nginx", "-c", "/etc/nginx/tls.conf",
           env=dict(os.environ, RINGFENCE_QEMU=qemu), timeout=120)
    expect(p.returncode not in (0, 125) and b"this processor lacks SMEP or SMAP" in p.stderr and b"cannot load certificate key" in p.stderr, p)


@test
def inspect_tells_what_would_be_kept():
    p = rf("inspect", "--secret", keys()[0][0], "--secret", keys()[1][0], "openssl")
    for says in ("%s (RSA, 2048 bits), in the machine at /etc/ringfence/secret/0" % keys()[0][0], "(P-256, 256 bits)"):
        expect(says.encode() in p.stdout, p.stdout)
    expect(b"keeps a private key in ring 2" in rf("inspect", "openssl").stdout, "the hint")


@test
def a_catalog_entry_names_keys():
    key = keys()[0][0]
    catalog = os.path.join(FOLDER, "catalog")
    file_with("catalog/openssl.yaml", "name: openssl\nmatch: [openssl]\nsecrets: [%s/si*.key, /none/*.key]\n" % FOLDER)
    p = rf("run", "openssl", "pkey", "-in", key, "-text", env=dict(os.environ, RINGFENCE_CATALOG=catalog))
    expect(b"prime" not in p.stdout and not holds(p.stdout, key), p)
    p = rf("run", "--also", "cat", "openssl", "version", env=dict(os.environ, RINGFENCE_CATALOG=catalog))
    expect(p.returncode == 0, p)


# ---- what cannot be kept ----

def generate(name, *args):
    path = os.path.join(FOLDER, name)
    equal(host("openssl", "genpkey", *args, "-out", path).returncode, 0)
    return path


@test
def what_is_no_key_is_refused():
    key = keys()[0][0]
    text = open(key).read()
    curve = ("-algorithm", "EC", "-pkeyopt")
    old = os.path.join(FOLDER, "old.pem")
    host("openssl", "rsa", "-traditional", "-aes128", "-passout", "pass:x", "-in", key, "-out", old)
    der = os.path.join(FOLDER, "locked.der")
    host("openssl", "pkcs8", "-topk8", "-passout", "pass:x", "-outform", "DER", "-in", key, "-out", der)
    for path, says in (
            (file_with("text", "hello\n"), "not a private key"),
            (file_with("empty", ""), "not a private key"),
            (keys()[0][1], "there is no private key in it"),
            (file_with("cut", text[:900] + "\n-----END PRIVATE KEY-----\n"), "not a private key"),
            (file_with("long", text + "x" * 70000), "too long"),
            (file_with("two", text + text), "more than one private key"),
            (FOLDER, "no regular file"),
            (generate("locked", "-algorithm", "RSA", "-aes128", "-pass", "pass:x"), "it is encrypted"),
            (old, "it is encrypted"),
            (der, "it is encrypted, or not a private key"),
            (generate("ed", "-algorithm", "Ed25519"), "Ed25519 keys are not supported"),
            (generate("x", "-algorithm", "X448"), "X448 keys are not supported"),
            (generate("pss", "-algorithm", "RSA-PSS"), "RSA-PSS keys are not supported"),
            (generate("small", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:768"), "of 768 bits are not supported"),
            (generate("odd", *curve, "ec_paramgen_curve:secp256k1"), "its curve is not supported")):
        refused(says, *with_secret(path))
    refused("/none.key does not exist", *with_secret(FOLDER + "/none.key"))
    refused("named twice", "--secret", key, *with_secret(key))


@test
def what_cannot_keep_it_is_refused():
    key = keys()[0][0]
    refused("make provider", *with_secret(key), env={"RINGFENCE_PROVIDER": "/none.so"})
    refused("no private part", *with_secret(key), env={"RINGFENCE_PROVIDER": shutil.which("openssl")})
    refused("does not use OpenSSL 3", "--secret", key, "--", "/bin/true")
    refused("OPENSSL_CONF=/none.cnf", "-e", "OPENSSL_CONF=/none.cnf", *with_secret(key))
    refused("comes along from this host", "--include", key + ":/etc/ringfence/secret/x", *with_secret(key))
    bad = file_with("bad.cnf", "[x]\nno sense\n")
    refused("bad.cnf", "-e", "OPENSSL_CONF=" + bad, "--include", bad, *with_secret(key))


@test
def without_its_ring_the_key_is_of_no_use():
    key = keys()[0][0]
    p = rf("run", "-u", "root", "--also", "openssl", "--secret", key, "--", "/bin/sh", "-c",
           "openssl pkey -in %s -noout && echo first; rm /dev/privuser || mv /dev/privuser /dev/x; "
           "openssl pkey -in %s -noout || echo refused" % (key, key), timeout=100)
    expect(p.stdout.startswith(b"first") and b"refused" in p.stdout, p)
    expect(b"secrets are NOT protected, and calls will fail" in p.stderr, p)


@test
def the_user_s_own_configuration_counts():
    key = keys()[0][0]
    extra = file_with("extra.cnf", "[both]\nlegacy = old\n[old]\nactivate = 1\n")
    own = file_with("own.cnf", "openssl_conf = mine # a comment\n.include %s\n[mine]\nproviders = both\n[both]\n"
                    "default = usual\n[usual]\nactivate = \\\n 1\n" % extra)
    manifest = file_with("ringfence.yaml", "program: /bin/sh\nprograms: [openssl]\nsecrets: [site.key]\ninclude: [own.cnf]\n"
                         "env: [OPENSSL_CONF=%s]\n" % own)
    p = rf("run", "-f", manifest, "--", "-c", "openssl list -providers; openssl pkey -in %s -noout && echo there" % key)
    for word in (b"OpenSSL Default Provider", b"OpenSSL Legacy Provider", b"Ringfence", b"there"):
        expect(word in p.stdout, p)


sys.exit(main())
