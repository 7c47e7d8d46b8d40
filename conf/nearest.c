/*
 * The nearest word; see nearest.h. Insertions, deletions, replacements and swaps of neighbours count one
 * each. A candidate is near when at most a third of the typed word (but at least one letter) would have to
 * change.
 */
#include "conf/nearest.h"

#include <string.h>

#define WORD_MAX 64

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b_len];
}

void nearest_offer(struct nearest *nearest, const char *typed, const char *candidate)
{
    size_t typed_len = strlen(typed), candidate_len = strlen(candidate);
    if (typed_len == 0 || typed_len > WORD_MAX || candidate_len > WORD_MAX)
        return;
    size_t near = typed_len < 3 ? 1 : typed_len / 3;
    size_t distance = edit_distance(typed, typed_len, candidate, candidate_len);
    if (distance > near || (nearest->word && distance >= nearest->distance))
        return;
    nearest->word = candidate;
    nearest->distance = distance;
}
