/*
 * Finds a key word: a binary search among the words with the same first letter. No failure.
 */
#include "router/sql/keywords.h"

#define KEYWORD_LONGEST 17 /* current_timestamp; the test checks it */

/* Where each letter's words begin in the table, which is sorted: [letter - 'a']. Checked by the test. */
static const uint16_t first_of[27] = {[0] = KEYWORD_ABORT,
    [1] = KEYWORD_BACKWARD,
    [2] = KEYWORD_CACHE,
    [3] = KEYWORD_DATA,
    [4] = KEYWORD_EACH,
    [5] = KEYWORD_FALSE,
    [6] = KEYWORD_GENERATED,
    [7] = KEYWORD_HANDLER,
    [8] = KEYWORD_IDENTITY,
    [9] = KEYWORD_JOIN,
    [10] = KEYWORD_KEY,
    [11] = KEYWORD_LABEL,
    [12] = KEYWORD_MAPPING,
    [13] = KEYWORD_NAME,
    [14] = KEYWORD_OBJECT,
    [15] = KEYWORD_PARALLEL,
    [16] = KEYWORD_QUOTE,
    [17] = KEYWORD_RANGE,
    [18] = KEYWORD_SAVEPOINT,
    [19] = KEYWORD_TABLE,
    [20] = KEYWORD_UESCAPE,
    [21] = KEYWORD_VACUUM,
    [22] = KEYWORD_WHEN,
    [23] = KEYWORD_XML,
    [24] = KEYWORD_YEAR,
    [25] = KEYWORD_ZONE,
    [26] = KEYWORD_COUNT};

enum keyword keyword_find(struct slice word)
{
    if (word.len == 0 || word.len > KEYWORD_LONGEST || word.data[0] < 'a' || word.data[0] > 'z')
        return NO_KEYWORD;
    unsigned low = first_of[word.data[0] - 'a'], high = first_of[word.data[0] - 'a' + 1];
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        const struct keyword_entry *entry = &keyword_entries[middle];
        size_t shorter = word.len < entry->len ? word.len : entry->len;
        int order = memcmp(word.data, entry->word, shorter);
        if (order == 0 && word.len == entry->len)
            return (enum keyword)middle;
        if (order < 0 || (order == 0 && word.len < entry->len))
            high = middle;
        else
            low = middle + 1;
    }
    return NO_KEYWORD;
}

enum keyword_category keyword_category(enum keyword keyword)
{
    return (enum keyword_category)keyword_entries[keyword].category;
}
