"""Makes certificates for tests.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def name_of(common_name):
    """An X.500 name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def alternative(name):
    """A subject alternative name: address or DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def names_of(certificate):
    """The names and addresses that an x509.Certificate is for, as text in order."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return sorted(str(name.value) for name in names)


class Certificate:
    """A certificate with its key, signed by @issuer or by itself; valid from @since until @days from now on, in days.

    Without @san its name stands in the subject only.
    """

    def __init__(self, *names, issuer=None, days=30, kind="ec", authority=False, since=-60, san=True):
        self.key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
        self.issuer = issuer
        now = datetime.datetime.utcnow()
        builder = (
            x509.CertificateBuilder()
            .subject_name(name_of(names[0]))
            .issuer_name(issuer.certificate.subject if issuer else name_of(names[0]))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=since))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True))
        if san:
            builder = builder.add_extension(x509.SubjectAlternativeName([alternative(name) for name in names]), critical=False)
        self.certificate = builder.sign((issuer or self).key, hashes.SHA256())

    @property
    def der(self):
        """The certificate in DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self):
        """The certificate in PEM, its issuers behind it, without the root."""
        own = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        return own + (self.issuer.pem if self.issuer and self.issuer.issuer else "")

    @property
    def key_pem(self):
        """The private key in PEM."""
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()).decode()
