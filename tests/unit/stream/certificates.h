/*
 * Certificates made for a test: a directory of PEM files that is removed afterwards.
 *
 *     ca.pem                       the CA of all below but other-*
 *     server.pem server.key        for "db.example" and 127.0.0.1
 *     expired.pem client.pem ...   see certificates_make
 */
#ifndef ROLECALL_TESTS_CERTIFICATES_H
#define ROLECALL_TESTS_CERTIFICATES_H

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};

struct certificates {
    char directory[64];
};

static inline void certificates_path(const struct certificates *certificates, const char *file, char out[128])
{
    snprintf(out, 128, "%s/%s", certificates->directory, file);
}

static inline void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL || X509_add_ext(certificate, extension, -1) != 1)
        abort();
    X509_EXTENSION_free(extension);
}

/* A certificate for the name; names = subjectAltName or NULL for a CA; signed by `authority`, or by itself.
 */
static inline struct authority issue(const struct authority *authority, const char *common_name,
    size_t name_len, const char *names, long seconds_left, const EVP_MD *digest)
{
    static long serial;
    struct authority made = {EVP_EC_gen("P-256"), X509_new()};
    X509 *certificate = made.certificate;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), seconds_left);
    X509_set_pubkey(certificate, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
        (const unsigned char *)common_name, (int)name_len, -1, 0);
    X509_set_issuer_name(
        certificate, X509_get_subject_name(authority ? authority->certificate : certificate));
    add_extension(certificate, NID_basic_constraints, names ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (names != NULL && names[0] != '\0')
        add_extension(certificate, NID_subject_alt_name, names);
    if (X509_sign(certificate, authority ? authority->key : made.key, digest) == 0)
        abort();
    return made;
}

static inline void store(
    const struct certificates *certificates, const struct authority *made, const char *name)
{
    char file[32], path[128];
    snprintf(file, sizeof file, "%s.pem", name);
    certificates_path(certificates, file, path);
    FILE *out = fopen(path, "w");
    if (out == NULL || PEM_write_X509(out, made->certificate) != 1 || fclose(out) != 0)
        abort();
    snprintf(file, sizeof file, "%s.key", name);
    certificates_path(certificates, file, path);
    out = fopen(path, "w");
    if (out == NULL || PEM_write_PrivateKey(out, made->key, NULL, NULL, 0, NULL, NULL) != 1 ||
        fclose(out) != 0)
        abort();
}

static inline void forget(struct authority *made)
{
    EVP_PKEY_free(made->key);
    X509_free(made->certificate);
}

static inline void certificates_make(struct certificates *certificates)
{
    const char server_names[] = "DNS:db.example,IP:127.0.0.1";
    strcpy(certificates->directory, "/tmp/rolecall-tls-XXXXXX");
    if (mkdtemp(certificates->directory) == NULL)
        abort();
    struct authority ca = issue(NULL, "Test CA", 7, NULL, 7200, EVP_sha256());
    struct authority other = issue(NULL, "Other CA", 8, NULL, 7200, EVP_sha256());
    const struct {
        const char *file;
        struct authority made;
    } all[] = {
        {"server", issue(&ca, "db.example", 10, server_names, 7200, EVP_sha256())},
        {"strong", issue(&ca, "db.example", 10, server_names, 7200, EVP_sha384())},
        {"expired", issue(&ca, "db.example", 10, server_names, -3600, EVP_sha256())},
        {"other-server", issue(&other, "db.example", 10, server_names, 7200, EVP_sha256())},
        {"client", issue(&ca, "ann", 3, "", 7200, EVP_sha256())},
        {"other-client", issue(&other, "ann", 3, "", 7200, EVP_sha256())},
        {"nul-client", issue(&ca, "ann\0evil", 8, "", 7200, EVP_sha256())},
    };
    store(certificates, &ca, "ca");
    store(certificates, &other, "other");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct authority made = all[i].made;
        store(certificates, &made, all[i].file);
        forget(&made);
    }
    forget(&ca);
    forget(&other);
}

static inline void certificates_remove(const struct certificates *certificates)
{
    static const char *const names[] = {
        "ca", "other", "server", "strong", "expired", "other-server", "client", "other-client", "nul-client"};
    char file[32], path[128];
    for (size_t i = 0; i < 2 * sizeof names / sizeof names[0]; i++) {
        snprintf(file, sizeof file, "%s.%s", names[i / 2], i % 2 ? "key" : "pem");
        certificates_path(certificates, file, path);
        unlink(path);
    }
    rmdir(certificates->directory);
}

#endif
