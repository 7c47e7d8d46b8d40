/* pg_hba files: which line fits whom, how lines are read, and what is refused. */
#include "proxy/auth/hba.h"

#include "auth_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static struct hba *load(const char *text)
{
    struct error error = {"", ""};
    struct hba *hba = hba_parse(slice_from(text), "hba", &error);
    if (hba == NULL)
        fail_msg("%s", error.text);
    return hba;
}

/* Who asks: "user database address", the address "local" for a Unix socket; "ssl" and "rep" may follow. */
struct asker {
    char user[64], database[64], address[64], more[2][8];
};

static bool ask(const struct hba *hba, const char *who, struct hba_verdict *verdict)
{
    struct asker asker = {0};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    int words = sscanf(who, "%63s %63s %63s %7s %7s", asker.user, asker.database, asker.address,
        asker.more[0], asker.more[1]);
    assert_true(words >= 3);
    struct hba_request request = {.user = slice_from(asker.user), .database = slice_from(asker.database)};
    for (int i = 0; i < words - 3; i++) {
        request.tls = request.tls || strcmp(asker.more[i], "ssl") == 0;
        request.replication = request.replication || strcmp(asker.more[i], "rep") == 0;
    }
    if (strcmp(asker.address, "local") == 0)
        request.address = (struct sockaddr *)&un;
    else if (inet_pton(AF_INET, asker.address, &in.sin_addr) == 1)
        request.address = (struct sockaddr *)&in;
    else if (inet_pton(AF_INET6, asker.address, &in6.sin6_addr) == 1)
        request.address = (struct sockaddr *)&in6;
    return hba_match(hba, &request, verdict);
}

/* line 0: none fits */
static void assert_line(const struct hba *hba, const char *who, unsigned line)
{
    struct hba_verdict verdict = {0};
    if (ask(hba, who, &verdict) != (line > 0) || verdict.line != line)
        fail_msg("%s: line %u instead of %u", who, verdict.line, line);
}

static void the_first_line_that_fits_decides(void **state)
{
    (void)state;
    struct hba *hba = load("# TYPE DATABASE USER ADDRESS METHOD\n"
                           "local   all         admin                      trust\n"
                           "local   all         all                        scram-sha-256\n"
                           "host    replication rep       10.0.0.0/8       scram-sha-256\n"
                           "hostssl secret      all       0.0.0.0/0        cert\n"
                           "hostnossl secret    all       all              reject\n"
                           "host    shop,stock  ann,bob   192.168.1.0/24   md5\n"
                           "host    sameuser    all       ::1/128          password\n"
                           "host    all         all       127.0.0.1 255.255.255.255 trust\n");
    assert_line(hba, "admin shop local", 2);
    assert_line(hba, "ann shop local", 3);
    assert_line(hba, "ann shop local ssl", 3);
    assert_line(hba, "rep any 10.1.2.3 rep", 4);
    assert_line(hba, "rep replication 10.1.2.3", 0);
    assert_line(hba, "rep any 11.1.2.3 rep", 0);
    assert_line(hba, "ann any 10.1.2.3 rep", 0);
    assert_line(hba, "ann secret 8.8.8.8 ssl", 5);
    assert_line(hba, "ann secret 8.8.8.8", 6);
    assert_line(hba, "ann secret 2001:db8::1 ssl", 0);
    assert_line(hba, "ann secret 2001:db8::1", 6);
    assert_line(hba, "ann shop 192.168.1.77", 7);
    assert_line(hba, "bob stock 192.168.1.77 ssl", 7);
    assert_line(hba, "eve stock 192.168.1.77", 0);
    assert_line(hba, "bob other 192.168.1.77", 0);
    assert_line(hba, "bob stock 192.168.2.77", 0);
    assert_line(hba, "ann ann ::1", 8);
    assert_line(hba, "ann shop ::1", 0);
    assert_line(hba, "ann ann ::2", 0);
    assert_line(hba, "eve x 127.0.0.1", 9);
    assert_line(hba, "eve x 127.0.0.2", 0);
    hba_unref(hba);
}

static void methods_and_certificates_come_with_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *who;
        enum hba_method method;
        enum hba_client_cert client_cert;
    } cases[] = {{"a d 1.1.1.1 ssl", HBA_TRUST, HBA_CERT_NONE},
        {"b d 1.1.1.1 ssl", HBA_REJECT, HBA_CERT_NONE}, {"c d 1.1.1.1 ssl", HBA_SCRAM, HBA_CERT_VERIFY_CA},
        {"d d 1.1.1.1 ssl", HBA_MD5, HBA_CERT_VERIFY_FULL}, {"e d 1.1.1.1 ssl", HBA_PASSWORD, HBA_CERT_NONE},
        {"f d 1.1.1.1 ssl", HBA_CERT, HBA_CERT_VERIFY_FULL},
        {"g d 1.1.1.1 ssl", HBA_CERT, HBA_CERT_VERIFY_FULL}};
    struct hba *hba = load("hostssl all a all trust\n"
                           "hostssl all b all reject\n"
                           "hostssl all c all scram-sha-256 clientcert=verify-ca\n"
                           "hostssl all d all md5 clientcert=verify-full\n"
                           "hostnogssenc all e all password\n"
                           "hostssl all f all cert\n"
                           "hostssl all g all cert clientcert=verify-full\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hba_verdict verdict;
        assert_true(ask(hba, cases[i].who, &verdict));
        assert_int_equal(verdict.method, cases[i].method);
        assert_int_equal(verdict.client_cert, cases[i].client_cert);
    }
    assert_string_equal(hba_method_name(HBA_SCRAM), "scram-sha-256");
    hba_unref(hba);
}

static void quoted_words_are_names(void **state)
{
    (void)state;
    struct hba *hba = load("local \"all\" ann trust\n"
                           "local \"replication\",\"sameuser\" ann trust\n"
                           "local \"my db\" \"a\"\"b\" trust\n"
                           "local \"x,y\" \"#1\" trust\n"
                           "local db \"+ops\",\"@file\",\"/re\" trust\n"
                           "local db2 ann, bob trust # comment, \"with quotes\n"
                           "local \"\" \"all\" trust\n");
    assert_line(hba, "ann all local", 1);
    assert_line(hba, "ann other local", 0);
    assert_line(hba, "ann replication local", 2);
    assert_line(hba, "ann any local rep", 0);
    assert_line(hba, "ann sameuser local", 2);
    assert_line(hba, "ann ann local", 0);
    assert_line(hba, "#1 x,y local", 4);
    assert_line(hba, "+ops db local", 5);
    assert_line(hba, "/re db local", 5);
    assert_line(hba, "bob db2 local", 6);
    struct hba_verdict verdict;
    struct hba_request request = {.user = slice_from("a\"b"), .database = slice_from("my db")};
    assert_true(hba_match(hba, &request, &verdict));
    assert_int_equal(verdict.line, 3);
    hba_unref(hba);
}

static void a_line_goes_on_behind_a_backslash(void **state)
{
    (void)state;
    struct hba *hba =
        load("local a\\\nb ann \\\r\n  trust\n# a comment \\\nlocal hidden ann trust\nlocal c ann trust\\");
    assert_line(hba, "ann ab local", 1);
    assert_line(hba, "ann hidden local", 0);
    assert_line(hba, "ann c local", 6);
    hba_unref(hba);
}

static void masks_of_every_length_are_applied(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 128; bits++) {
        char text[100], near_by[INET6_ADDRSTRLEN], who[100];
        struct in6_addr address;
        assert_int_equal(inet_pton(AF_INET6, "2001:db8:aaaa:5555:aaaa:5555:aaaa:5555", &address), 1);
        snprintf(text, sizeof text, "host all all 2001:db8:aaaa:5555:aaaa:5555:aaaa:5555/%u trust\n", bits);
        struct hba *hba = load(text);
        for (unsigned bit = 0; bit < 128; bit++) {
            struct in6_addr other = address;
            other.s6_addr[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
            inet_ntop(AF_INET6, &other, near_by, sizeof near_by);
            snprintf(who, sizeof who, "ann db %s", near_by);
            assert_line(hba, who, bit >= bits ? 1 : 0);
        }
        hba_unref(hba);
    }
}

static void an_ipv4_client_on_an_ipv6_socket_is_compared_as_ipv4(void **state)
{
    (void)state;
    struct hba *hba = load("host all all 10.0.0.0/8 trust\nhost all all ::/0 reject\n");
    assert_line(hba, "ann db ::ffff:10.1.2.3", 1);
    assert_line(hba, "ann db ::ffff:11.1.2.3", 0);
    assert_line(hba, "ann db 2001:db8::1", 2);
    hba_unref(hba);
}

static void what_is_not_understood_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"locale all all trust", "hba line 1: unknown connection type \"locale\""},
        {"\n# x\nlocal all all", "hba line 3: the line ends before the authentication method"},
        {"local", "hba line 1: the line ends before the database"},
        {"local all", "hba line 1: the line ends before the user"},
        {"host all all", "hba line 1: the line ends before the address"},
        {"local all all trusty", "hba line 1: unknown authentication method \"trusty\""},
        {"local all all peer", "hba line 1: this authentication method is not supported: \"peer\""},
        {"host all all all ldap ldapserver=x",
            "hba line 1: this authentication method is not supported: \"ldap\""},
        {"hostgssenc all all all trust",
            "hba line 1: GSSAPI encryption is not supported: connection type \"hostgssenc\""},
        {"include other.conf", "hba line 1: including files is not supported: \"include\""},
        {"include_dir other", "hba line 1: including files is not supported: \"include_dir\""},
        {"local @dbs all trust", "hba line 1: including files is not supported: \"@dbs\""},
        {"local all +ops trust",
            "hba line 1: membership in roles is not known here, so this is not supported: \"+ops\""},
        {"local samerole all trust",
            "hba line 1: membership in roles is not known here, so this is not supported: \"samerole\""},
        {"local all /^a trust", "hba line 1: regular expressions are not supported: \"/^a\""},
        {"host all all samenet trust",
            "hba line 1: write the addresses instead, this is not supported: \"samenet\""},
        {"host all all example.org trust",
            "hba line 1: not a numeric address (host names are not supported): \"example.org\""},
        {"host all all .example.org trust",
            "hba line 1: not a numeric address (host names are not supported): \".example.org\""},
        {"host all all 10.0.0.0/33 trust", "hba line 1: invalid number of bits in \"10.0.0.0/33\""},
        {"host all all 10.0.0.0/ trust", "hba line 1: invalid number of bits in \"10.0.0.0/\""},
        {"host all all 10.0.0.0/8x trust", "hba line 1: invalid number of bits in \"10.0.0.0/8x\""},
        {"host all all ::/129 trust", "hba line 1: invalid number of bits in \"::/129\""},
        {"host all all 10.0.0.0 trust",
            "hba line 1: not an address mask (the address before it has no /bits): \"trust\""},
        {"host all all 10.0.0.0 ffff:: trust",
            "hba line 1: address and mask are not of the same family: \"ffff::\""},
        {"host all all ::ffff:10.0.0.0/104 trust", "hba line 1: clients are compared by their IPv4 address, "
                                                   "write that instead of \"::ffff:10.0.0.0/104\""},
        {"host all all 10.0.0.0/8,11.0.0.0/8 trust", "hba line 1: only one value is allowed as address"},
        {"local all all trust,md5", "hba line 1: only one value is allowed as authentication method"},
        {"host all all all cert",
            "hba line 1: only hostssl lines can have the authentication method \"cert\""},
        {"host all all all md5 clientcert=verify-ca",
            "hba line 1: only hostssl lines can have the option \"clientcert=verify-ca\""},
        {"hostssl all all all md5 clientcert=1",
            "hba line 1: clientcert is verify-ca or verify-full, not \"1\""},
        {"hostssl all all all cert clientcert=verify-ca",
            "hba line 1: the method cert is always verify-full, not \"verify-ca\""},
        {"hostssl all all all cert map=x", "hba line 1: this option is not supported: \"map=x\""},
        {"local all all trust nonsense", "hba line 1: an option is written name=value: \"nonsense\""},
        {"local \"all all trust", "hba line 1: a quote is not closed"},
        {"local all all trust,", "hba line 1: a list ends with a comma"},
        {"local all \\\nall \\\nwhat", "hba line 1: unknown authentication method \"what\""},
        {"local all \\\nall \\\ntrust\nwhat", "hba line 4: unknown connection type \"what\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = {"", ""};
        assert_null(hba_parse(slice_from(cases[i].text), "hba", &error));
        assert_string_equal(error.text, cases[i].error);
        assert_string_equal(error.sqlstate, "F0000");
    }
}

static void a_line_is_bounded(void **state)
{
    (void)state;
    char *text = malloc(10000);
    struct error error;
    for (int names = 1000; names <= 1100; names += 100) {
        size_t at = (size_t)snprintf(text, 10000, "local ");
        for (int i = 0; i < names; i++)
            at += (size_t)snprintf(text + at, 10000 - at, "a%s", i < names - 1 ? "," : " ");
        at += (size_t)snprintf(text + at, 10000 - at, "all trust");
        struct hba *hba = hba_parse(slice_of(text, at), "hba", &error);
        assert_int_equal(hba != NULL, names == 1000);
        hba_unref(hba);
    }
    assert_string_equal(error.text, "hba line 1: more than 1024 words on a line");
    free(text);
    assert_null(hba_parse(LITERAL("local all all\0trust"), "hba", &error));
}

static void an_empty_file_lets_nobody_in(void **state)
{
    (void)state;
    struct hba *hba = load("# nothing\n\n   \n");
    assert_line(hba, "ann db local", 0);
    assert_ptr_equal(hba_ref(hba), hba);
    hba_unref(hba);
    assert_line(hba, "ann db 127.0.0.1 ssl", 0);
    hba_unref(hba);
    hba_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_that_fits_decides),
        cmocka_unit_test(methods_and_certificates_come_with_the_line),
        cmocka_unit_test(quoted_words_are_names),
        cmocka_unit_test(a_line_goes_on_behind_a_backslash),
        cmocka_unit_test(masks_of_every_length_are_applied),
        cmocka_unit_test(an_ipv4_client_on_an_ipv6_socket_is_compared_as_ipv4),
        cmocka_unit_test(what_is_not_understood_is_refused_with_its_line),
        cmocka_unit_test(a_line_is_bounded),
        cmocka_unit_test(an_empty_file_lets_nobody_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
