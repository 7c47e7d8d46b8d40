"""A small authority and its certificates, made with openssl for a test run."""

import os

from . import processes


class Authority:
    """Keys and certificates below `directory`: ca.crt, then NAME.crt and NAME.key for each name issued."""

    def __init__(self, directory):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        os.chmod(self.directory, 0o755)
        self.ca = self._path("ca.crt")
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=test authority", "-keyout", self._path("ca.key"), "-out", self.ca,
        )

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _openssl(self, *args):
        processes.run(["openssl", *args], account=None)

    def issue(self, name, common_name=None, hosts=("DNS:localhost", "IP:127.0.0.1"), days=30):
        """Returns (certificate, key), both readable by the servers' account and nobody else."""
        key, request, cert, extra = (self._path(f"{name}.{end}") for end in ("key", "csr", "crt", "ext"))
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={common_name or name}", "-keyout", key, "-out", request,
        )
        with open(extra, "w") as file:
            file.write(f"subjectAltName={','.join(hosts)}\n" if hosts else "basicConstraints=CA:FALSE\n")
        self._openssl(
            "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._path("ca.key"), "-CAcreateserial",
            "-days", str(days), "-extfile", extra, "-out", cert,
        )
        os.chmod(key, 0o600)
        processes.own(key)
        processes.own(cert)
        return cert, key
