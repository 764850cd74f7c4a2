"""What OpenSSL says when a handshake fails, in words that help."""

import ssl

import pytest

from pipeline.system.tls import why_refused


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("certificate verify failed: certificate has expired (_ssl.c:1000)", "has expired"),
        ("certificate verify failed: certificate is not yet valid", "check the clocks"),
        ("certificate verify failed: Hostname mismatch, certificate is not valid for 'h'.", "for another host"),
        ("certificate verify failed: IP address mismatch, certificate is not valid for '::1'.", "for another host"),
        ("certificate verify failed: unable to get local issuer certificate", "name that in CA"),
        ("certificate verify failed: self-signed certificate in certificate chain", "name that in CA"),
        ("certificate verify failed: CA cert does not include key usage extension", "not trusted; check CA"),
        ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] sslv3 alert bad certificate", "refuses our certificate"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required", "misses one; check CERT"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "who signed it"),
    ],
)
def test_questions_of_certificates_are_told_apart(words: str, meaning: str) -> None:
    assert meaning in str(why_refused(words, "CA", "CERT"))


@pytest.mark.parametrize("words", ["EOF occurred in violation of protocol", "wrong version number", "", "alert close"])
def test_all_else_is_no_question_of_certificates(words: str) -> None:
    assert why_refused(str(ssl.SSLError(1, words)), "CA", "CERT") is None
