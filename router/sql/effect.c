/* What a change leaves in its session; see effect.h. No failure. */
#include "router/sql/effect.h"

#include "router/setting.h"

void effect_add(struct effect *effect, const struct effect *more)
{
    effect->flags |= more->flags;
    effect->pins |= more->pins;
    effect->frees |= more->frees;
}

void effect_of_survey(struct effect *effect)
{
    effect->flags |= STATEMENT_SURVEY | STATEMENT_SETS_ANY | STATEMENT_SETS_PARSING;
}

void effect_of_kind(struct effect *effect, enum name_kind kind)
{
    if (kind < NAME_SESSION)
        return;
    effect_of_survey(effect);
    if (kind == NAME_OPAQUE)
        effect->pins |= PIN_FUNCTION;
}

static void of_untold_setting(struct effect *effect, enum setting_change change)
{
    effect->flags |= STATEMENT_SETS_PARSING;
    if (change == CHANGE_LOCAL)
        return;
    effect->flags |= STATEMENT_SETS_ANY;
    effect->pins |= PIN_SETTING;
}

void effect_of_setting(struct effect *effect, struct slice name, enum setting_change change)
{
    if (name.len == 0) {
        of_untold_setting(effect, change);
        return;
    }
    if (setting_ends_with_transaction(name))
        return;
    if (slice_is(name, "seed")) { /* setseed() by another name; nobody can ask for it */
        if (change != CHANGE_DEFAULT)
            effect->pins |= PIN_FUNCTION;
        return;
    }
    if (setting_matters_when_parsing(name))
        effect->flags |= STATEMENT_SETS_PARSING;
    if (change == CHANGE_LOCAL)
        return;
    effect->flags |= change == CHANGE_DEFAULT ? STATEMENT_SETS_ANY : STATEMENT_SETS;
}
