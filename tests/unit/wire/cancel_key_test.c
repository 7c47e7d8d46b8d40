/* Cancel keys: they lead back to what they were made for, and to nothing when they are not ours. */
#include "proxy/wire/cancel_key.h"

#include "wire_test.h"

static const struct cancel_issuer issuer = {0xbeef, {0x12345678, 0x9abcdef0, 0x0fedcba9, 0x87654321}};
static const unsigned char noise[CANCEL_KEY_RANDOM] = "abcdefghijklmnopqrstuvwxyz";

static struct slice secret_of(const struct cancel_key *key)
{
    return slice_of((const char *)key->secret, key->secret_len);
}

static void a_key_leads_back_to_worker_and_slot(void **state)
{
    (void)state;
    static const uint32_t slots[] = {0, 1, 2, 255, 256, 65535, 65536, 1000000, CANCEL_SLOT_MAX};
    for (unsigned worker = 0; worker <= CANCEL_WORKER_MAX; worker++) {
        for (size_t i = 0; i < 2 * sizeof slots / sizeof slots[0]; i++) {
            struct cancel_key key;
            struct cancel_address address;
            bool wide = i % 2;
            cancel_key_build(&issuer, (uint8_t)worker, slots[i / 2], wide, noise, &key);
            assert_int_equal(key.secret_len, wide ? 32 : 4);
            assert_in_range(key.pid, 1, 0x7fffffff);
            assert_true(cancel_key_parse(&issuer, key.pid, secret_of(&key), &address));
            assert_int_equal(address.worker, worker);
            assert_int_equal(address.slot, slots[i / 2]);
            assert_int_equal(address.process_known, wide);
            assert_int_equal(address.process, wide ? 0xbeef : 0);
        }
    }
}

static void no_two_slots_share_a_pid(void **state)
{
    (void)state;
    enum { SLOTS = 100000 };
    static uint8_t seen[1 << 28];
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        struct cancel_key key;
        cancel_key_build(&issuer, (uint8_t)(slot % 4), slot / 4, false, noise, &key);
        assert_int_equal(seen[key.pid / 8] >> key.pid % 8 & 1, 0);
        seen[key.pid / 8] |= (uint8_t)(1 << key.pid % 8);
    }
}

static void pids_do_not_tell_the_slot(void **state)
{
    (void)state;
    struct cancel_issuer other = issuer;
    other.rounds[0] ^= 1;
    struct cancel_key here, there;
    unsigned near = 0, same = 0;
    uint32_t before = 0;
    for (uint32_t slot = 0; slot < 1000; slot++) {
        cancel_key_build(&issuer, 0, slot, false, noise, &here);
        cancel_key_build(&other, 0, slot, false, noise, &there);
        near += here.pid - before < 1000 || before - here.pid < 1000;
        same += here.pid == there.pid;
        before = here.pid;
    }
    assert_in_range(near, 0, 5);
    assert_in_range(same, 0, 5);
}

static void a_secret_is_compared_as_a_whole(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        struct cancel_key key, other;
        cancel_key_build(&issuer, 1, 2, wide, noise, &key);
        assert_true(cancel_key_equal(&key, secret_of(&key)));
        for (size_t i = 0; i < key.secret_len; i++) {
            other = key;
            other.secret[i] ^= 1;
            assert_false(cancel_key_equal(&key, secret_of(&other)));
        }
        assert_false(cancel_key_equal(&key, slice_of((const char *)key.secret, key.secret_len - 1)));
    }
    const struct cancel_key none = {0};
    assert_false(cancel_key_equal(&none, slice_of("", 0)));
}

static void keys_that_cannot_be_ours_lead_nowhere(void **state)
{
    (void)state;
    struct cancel_address address;
    assert_false(cancel_key_parse(&issuer, 0, LITERAL("abcd"), &address));
    assert_false(cancel_key_parse(&issuer, 0x80000000, LITERAL("abcd"), &address));
    assert_false(cancel_key_parse(&issuer, 5, LITERAL("abcde"), &address));
    char secret[32] = {0, 0, 0, (char)0xff};
    assert_false(cancel_key_parse(&issuer, 5, slice_of(secret, sizeof secret), &address));
}

static void issuers_are_random(void **state)
{
    (void)state;
    struct cancel_issuer one, two;
    assert_true(cancel_issuer_init(&one));
    assert_true(cancel_issuer_init(&two));
    assert_memory_not_equal(one.rounds, two.rounds, sizeof one.rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_leads_back_to_worker_and_slot),
        cmocka_unit_test(no_two_slots_share_a_pid),
        cmocka_unit_test(pids_do_not_tell_the_slot),
        cmocka_unit_test(a_secret_is_compared_as_a_whole),
        cmocka_unit_test(keys_that_cannot_be_ours_lead_nowhere),
        cmocka_unit_test(issuers_are_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
