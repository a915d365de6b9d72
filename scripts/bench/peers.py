"""Builds newer peers from source trees, so that they are measured beside those of the system."""
import glob
import os
import shutil
import subprocess

import lab


def built(sources, build):
    """[(candidate class, program)] for the trees `haproxy*` and `nginx*` in the folder `sources`;
    none without a folder. The trees stay as they are: a copy of each is built, once, in
    BUILD/peers."""
    if not sources:
        return []
    found = [(kind, program(kind, tree, f"{os.path.abspath(build)}/peers"))
             for kind in (Haproxy, Nginx) for tree in sorted(glob.glob(f"{sources}/{kind.trees}"))]
    if not found:
        raise SystemExit(f"bench: no folder {Haproxy.trees} or {Nginx.trees} in {sources}")
    return [(kind.candidate, path) for kind, path in found]


class Haproxy:
    trees = "haproxy*"
    candidate = lab.HaproxyGiven
    binary = "haproxy"
    steps = (["make", "-s", "-j2", "TARGET=linux-glibc", "USE_OPENSSL=1", "USE_PCRE=", "USE_LUA="],)


class Nginx:
    trees = "nginx*"
    candidate = lab.NginxGiven
    binary = "objs/nginx"
    steps = (["sh", "-c", "$(test -x configure && echo ./configure || echo auto/configure) "
              "--with-stream --with-stream_ssl_module --without-http"], ["make", "-s", "-j2"])


def program(kind, tree, room):
    """The path of the program that is built from this tree."""
    copy = f"{room}/{os.path.basename(tree)}"
    path = f"{copy}/{kind.binary}"
    if not os.path.exists(path):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(tree, copy, symlinks=True)
        for step in kind.steps:
            done = subprocess.run(step, cwd=copy, capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"bench: {tree}: {' '.join(step)}: {done.stderr[-2000:]}")
    return path
