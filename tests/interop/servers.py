"""Postfix with Dovecot, and Exim, each below a folder of its own: nothing of `/etc` is read for settings or
changed. Everything listens on loopback, and what was started is ended by its number."""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from certificates import Certificates

NOBODY = 65534
BUILD = Path(__file__).resolve().parents[2] / "build" / "interop"
EXIM = BUILD / "exim" / "usr" / "sbin" / "exim4"
PATIENCE = 30


def missing(*programs: str | Path) -> str | None:
    """Why these cannot be run here, if they cannot."""
    if os.geteuid() != 0:
        return "mail servers are started as root, and this is not"
    lacking = [str(program) for program in programs if shutil.which(str(program), path=f"{os.environ['PATH']}:/usr/sbin") is None]
    return f"not installed: {', '.join(lacking)}; tests/interop/install.sh does it" if lacking else None


class Mailbox:
    """A Maildir that takes everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def wait_for(self, message_id: str) -> bytes:
        """The message with this id as it lies in the mailbox, what the servers put in front taken off."""
        return until(lambda: self.find(message_id), f"the message {message_id} to arrive")

    def find(self, message_id: str) -> bytes | None:
        whole = self._whole(message_id)
        return whole and without_trace(whole)

    def return_path(self, message_id: str) -> str | None:
        """The envelope's sender, as the server wrote it down."""
        whole = self._whole(message_id) or b""
        first = next((line for line in whole.splitlines() if line.lower().startswith(b"return-path:")), b"")
        return first.partition(b":")[2].strip().strip(b"<>").decode() or None

    def count(self) -> int:
        return len(self._files())

    def clear(self) -> None:
        for file in self._files():
            file.unlink()

    def _whole(self, message_id: str) -> bytes | None:
        return next((octets for octets in (f.read_bytes() for f in self._files()) if message_id.encode() in octets), None)

    def _files(self) -> list[Path]:
        return list((self.folder / "new").glob("*"))


class Postfix:
    """Submission by STARTTLS (`port`) and TLS (`tls_port`); Dovecot answers for AUTH."""

    def __init__(self, folder: Path, keys: dict[str, Any], extra: str = "") -> None:
        self.folder = folder
        folder.mkdir()
        self.certificates = Certificates(folder)
        self.port, self.tls_port, imap_port = free_port(), free_port(), free_port()
        for name in ("dovecot", "postfix", "queue", "data", "mail", "keys"):
            (folder / name).mkdir()
        os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, 0)
        os.chown(folder / "mail", NOBODY, NOBODY)
        self.mailbox = Mailbox(folder / "mail" / "box")
        put_keys(folder / "keys", keys)
        for name, content in DOVECOT.items():
            (folder / "dovecot" / name).write_text(content.replace("@D", str(folder)).replace("@IMAP", str(imap_port)))
        main = POSTFIX_MAIN.replace("@D", str(folder)) + extra
        (folder / "postfix" / "main.cf").write_text(main)
        (folder / "postfix" / "master.cf").write_text(POSTFIX_MASTER % (self.port, self.tls_port))
        self.dovecot = run(["dovecot", "-F", "-c", folder / "dovecot" / "dovecot.conf"], folder / "dovecot.log")
        # Before the socket is there, smtpd dies, and Postfix holds its port back for a minute.
        until((folder / "run" / "smtp-auth").is_socket, "Dovecot to start", folder / "dovecot.log")
        self.starter = run(["postfix", "-c", folder / "postfix", "start-fg"], folder / "postfix.log")
        for port in (self.port, self.tls_port):
            until(lambda port=port: is_open(port), "Postfix to start", folder / "maillog")

    def close(self) -> None:
        # Postfix first: Dovecot's auth lives on as long as an smtpd holds its socket.
        master = self.folder / "queue" / "pid" / "master.pid"
        if master.exists():
            stop(int(master.read_text().strip()))
        self.starter.wait(PATIENCE)
        stop(self.dovecot.pid)
        self.dovecot.wait(PATIENCE)


class Exim:
    """Exim from an unpacked package, in a mount namespace of its own with a private copy of `/etc`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.certificates = Certificates(folder)
        self.port, self.tls_port = free_port(), free_port()
        shutil.copytree("/etc", folder / "etc", symlinks=True, ignore_dangling_symlinks=True)
        for name in ("spool", "log", "mail", "etc/exim4"):
            (folder / name).mkdir(exist_ok=True)
        user = 64999
        for name, line in (("passwd", "Debian-exim:x:64999:64999::/nonexistent:/usr/sbin/nologin"), ("group", "Debian-exim:x:64999:")):
            with (folder / "etc" / name).open("a") as file:
                file.write(line + "\n")
        for name in ("spool", "log"):
            os.chown(folder / name, user, user)
        os.chown(folder / "mail", NOBODY, NOBODY)
        os.chown(self.certificates.key, 0, user)
        self.certificates.key.chmod(0o640)
        self.mailbox = Mailbox(folder / "mail")
        configuration = EXIM_CONF.replace("@D", str(folder)).replace("@EXIM", str(EXIM))
        configuration = configuration.replace("@TLSPORT", str(self.tls_port)).replace("@PORT", str(self.port))
        (folder / "etc" / "exim4" / "exim4.conf").write_text(configuration)
        (folder / "etc" / "exim4" / "exim4.conf").chmod(0o644)
        start = f"mount --bind {folder}/etc /etc && exec {EXIM} -bdf -q1m -oP {folder}/exim.pid"
        # unshare and the shell become Exim: its number is ours.
        self.process = run(["unshare", "-m", "sh", "-c", start], folder / "exim.log")
        for port in (self.port, self.tls_port):
            until(lambda port=port: is_open(port), "Exim to start", folder / "exim.log")

    def close(self) -> None:
        stop(self.process.pid)
        self.process.wait(PATIENCE)


def put_keys(folder: Path, keys: dict[str, Any]) -> None:
    """JSON Web Keys as Dovecot wants them: `<azp, or default>/<algorithm>/<kid>`, PEM (RFC 5480)."""
    for key in keys["keys"]:
        place = folder / "default" / key["alg"]
        place.mkdir(parents=True, exist_ok=True)
        point = b"\x04" + b"".join(base64.urlsafe_b64decode(key[part] + "==") for part in ("x", "y"))
        der = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + point
        name = urllib.parse.quote(key["kid"], safe="-_=+.")
        pem = base64.encodebytes(der).decode()
        (place / name).write_text(f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n")


def run(command: list[str | Path], log: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    with log.open("wb") as out:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
        )


def stop(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    until(lambda: not is_alive(pid), f"process {pid} to end")


def is_alive(pid: int) -> bool:
    """A zombie is dead: whoever is process 1 here may not collect it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return "\nState:\tZ" not in status


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def until(done: Callable[[], Any], what: str, log: Path | None = None) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = done()
        if found:
            return found
        time.sleep(0.02)
    said = log.read_text(errors="replace")[-2000:] if log is not None and log.exists() else ""
    raise AssertionError(f"waited {PATIENCE} s in vain for {what}\n{said}")


def without_trace(octets: bytes) -> bytes:
    """Takes off the headers that servers put in front (RFC 5321 §4.4)."""
    while octets.split(b":", 1)[0].lower() in TRACE:
        _, _, octets = octets.partition(b"\n")
        while octets[:1] in b" \t" and octets:
            _, _, octets = octets.partition(b"\n")
    return octets


TRACE = {b"return-path", b"x-original-to", b"delivered-to", b"received"}

# Two kinds of token: an application's has no person in it, so any mailbox goes with it.
_OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=@D/keys/
issuers = https://sts.windows.net/3c0fd6b8-7a1d-4c39-8f6e-2b9a41d0e733/
active_attribute = appidacr
"""
DOVECOT = {
    # `any` makes both sides of the comparison of names the same text.
    "app.ext": _OAUTH2 + "active_value = 1\nusername_attribute = appid\nusername_format = any\n",
    "user.ext": _OAUTH2 + "active_value = 0\nusername_attribute = upn\n",
    "dovecot.conf": """
base_dir = @D/run
state_dir = @D/run
log_path = /dev/stderr
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
protocols =
auth_mechanisms = xoauth2 oauthbearer
auth_failure_delay = 0
# Letters of every script are let through.
auth_username_chars =
auth_verbose = yes
first_valid_uid = 1
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @D/dovecot/app.ext
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @D/dovecot/user.ext
}
userdb {
  driver = static
  args = allow_all_users=yes uid=65534 gid=65534 home=@D/mail
}
service auth {
  unix_listener smtp-auth {
    mode = 0600
    user = postfix
  }
}
# No pauses that grow with every refusal.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
""",
}

POSTFIX_MAIN = """
compatibility_level = 3.6
queue_directory = @D/queue
data_directory = @D/data
maillog_file = @D/maillog
maillog_file_prefixes = @D
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
# Every domain is delivered into one Maildir, by virtual(8): it changes nothing of the body.
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:box/
virtual_mailbox_base = @D/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = 62914560
smtputf8_enable = yes
# Headers are left alone, and a Bcc that got out would be seen.
local_header_rewrite_clients =
message_drop_headers =
smtpd_tls_cert_file = @D/server.pem
smtpd_tls_key_file = @D/server.key
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = @D/run/smtp-auth
smtpd_sasl_security_options = noanonymous
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{refused@example.test=550 5.1.1 no such user},{later@example.test=450 4.2.1 later}}
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
"""

POSTFIX_MASTER = """
%d inet n - n - - smtpd
%d inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

EXIM_CONF = """
primary_hostname = localhost
exim_path = @EXIM
spool_directory = @D/spool
log_file_path = @D/log/%slog
pid_file_path = @D/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = @PORT : @TLSPORT
tls_on_connect_ports = @TLSPORT
tls_advertise_hosts = *
tls_certificate = @D/server.pem
tls_privatekey = @D/server.key
pipelining_advertise_hosts = *
chunking_advertise_hosts = *
smtputf8_advertise_hosts = *
message_size_limit = 60M
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
host_lookup =
rfc1413_hosts =
keep_environment =
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = accept
begin acl
acl_rcpt:
  deny !authenticated = *
       message = authentication required
  deny local_parts = refused
       message = no such user
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  maildir_format
  return_path_add
  directory = @D/mail
  create_directory
  user = 65534
  group = 65534
begin authenticators
xoauth2:
  driver = plaintext
  public_name = XOAUTH2
  server_prompts = :
  server_condition = ${if def:auth1}
"""
