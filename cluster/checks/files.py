"""Files that programs of others read: proxies, the unit of systemd, Prometheus, scripts; and those that we make."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster import build
from cluster.checks.parts import Faults, Missing, program, ran
from serve_app import checking
from serve_app.errors import UserError

UNIT = Path("cluster/systemd/realtime-avatar.service")
NGINX = Path("cluster/proxy/nginx.conf")
CADDY = Path("cluster/proxy/Caddyfile")
MACHINE = Path("cluster/terraform/gcp/vm.tf")
STARTED = MACHINE.with_name("start.sh.tftpl")
WEBSOCKETS = ("proxy_http_version 1.1", "Upgrade $http_upgrade", "proxy_buffering off")


def made(root: Path) -> Faults:
    """Whether what follows from other files is what they say."""
    for name in build.old(root):
        yield f"{name}: not as its source says; run python -m cluster.build"


def serve(root: Path) -> Faults:
    """Every Serve config."""
    for path in sorted((root / "cluster" / "serve").glob("*.yaml")):
        told = path.relative_to(root)
        try:
            for sentence in checking.faults(checking.read(path)):
                if (
                    "has no engine" not in sentence
                ):  # a profile may name one that is still to come; its test knows which
                    yield f"{told}: {sentence}"
        except UserError as error:
            yield f"{told}: {error}"


def caddy(root: Path) -> Faults:
    found = program("caddy", f"{CADDY} was not read")
    environment = {"AVATAR_UPSTREAMS": "10.0.0.2:8080 10.0.0.3:8080", "HOME": "/nonexistent"}
    with TemporaryDirectory() as scratch:
        environment |= {"XDG_DATA_HOME": scratch, "XDG_CONFIG_HOME": scratch}
        command = [found, "adapt", "--adapter", "caddyfile", "--validate", "--config", CADDY]
        for line in ran(command, root, str(CADDY), environment):
            if '"level":"info"' not in line:
                yield line


def nginx(root: Path) -> Faults:
    """nginx reads it whole, with a certificate made for the moment."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None or shutil.which("openssl") is None:
        raise Missing(f"nginx or openssl is not installed: {NGINX} was not read")
    text = (root / NGINX).read_text("utf-8")
    for wanted in WEBSOCKETS:
        if wanted not in text:
            yield f"{NGINX}: `{wanted}` is missing, without which WebSockets do not pass or lag"
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        key = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        key += ["-keyout", f"{scratch}/key.pem", "-out", f"{scratch}/cert.pem", "-subj", "/CN=localhost", "-days", "1"]
        subprocess.run(key, check=True, capture_output=True)
        text = text.replace("/etc/letsencrypt/live/avatar.example.org/fullchain.pem", f"{scratch}/cert.pem")
        text = text.replace("/etc/letsencrypt/live/avatar.example.org/privkey.pem", f"{scratch}/key.pem")
        logs = f"pid {scratch}/pid; error_log {scratch}/error.log;"
        paths = "".join(
            f"{kind}_temp_path {scratch}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(f"{logs} events {{}} http {{ access_log off; {paths}\n{text}\n}}\n")
        for line in ran(
            [found, "-t", "-p", scratch, "-c", folder / "nginx.conf", "-e", folder / "early.log"], root, str(NGINX)
        ):
            if "test failed" not in line:
                yield line


def systemd(root: Path) -> Faults:
    """The unit as systemd reads it; the program that it starts need not be on this machine."""
    found = program("systemd-analyze", f"{UNIT} was not read")
    with TemporaryDirectory() as scratch:
        unit = Path(scratch) / UNIT.name
        text = (root / UNIT).read_text("utf-8")
        unit.write_text(text.replace("ExecStart=/srv/realtime-avatar/bin/avatar", f"ExecStart={shutil.which('true')}"))
        done = subprocess.run([found, "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
        for line in done.stderr.splitlines():  # unknown keys are told and yet end with 0
            if UNIT.name in line and line.strip():
                yield f"{UNIT}: {line.replace(scratch, '').strip()}"


def prometheus(root: Path) -> Faults:
    """Its configuration, the rules with their tests (a misspelt metric is caught only there), and Alertmanager's."""
    promtool = program("promtool", "dashboards/*.yml were not read")
    folder = root / "dashboards"
    yield from ran([promtool, "check", "config", "prometheus.yml"], folder, "dashboards/prometheus.yml")
    yield from ran([promtool, "check", "rules", "rules.yml"], folder, "dashboards/rules.yml")
    yield from ran([promtool, "test", "rules", "rules_test.yml"], folder, "dashboards/rules_test.yml")
    amtool = program("amtool", "dashboards/alertmanager.yml was not read")
    yield from ran([amtool, "check-config", "alertmanager.yml"], folder, "dashboards/alertmanager.yml")


def scripts(root: Path) -> Faults:
    """Every shell script of cluster/, and the one that Terraform fills in for its machine."""
    shellcheck = program("shellcheck", "no script was linted")
    for path in sorted((root / "cluster").rglob("*.sh")):
        told = str(path.relative_to(root))
        yield from ran([shellcheck, "--format=gcc", path], root, told)
    text = (root / STARTED).read_text("utf-8")
    given = re.search(
        r"templatefile\(\S*" + re.escape(STARTED.name) + r"\", \{(.*?)\}\)", (root / MACHINE).read_text("utf-8"), re.S
    )
    names = set(re.findall(r"^\s*(\w+) +=", given[1], re.MULTILINE)) if given else set()
    for name in sorted(set(re.findall(r"\$\{(\w+)\}", text)) - names):
        yield f"{STARTED}: ${{{name}}} is nothing that {MACHINE} gives it"
    with TemporaryDirectory() as scratch:
        filled = Path(scratch) / "start.sh"
        filled.write_text(re.sub(r"\$\{(\w+)\}", r"a-\1", text), "utf-8")
        # that a word which was filled in is compared with a constant is as it should be (SC2050)
        for line in ran([shellcheck, "--format=gcc", "--exclude=SC2050", filled], root, str(STARTED)):
            yield line.replace(f"{filled}:", "")
