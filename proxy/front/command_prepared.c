/*
 * SHOW PREPARED: the statements that sessions share, as servers know them (pg_prepared_statements there has
 * the same names). For administrators: texts may hold what somebody has written into them.
 */
#include "proxy/front/command_handlers.h"

static const struct result_column prepared_columns[] = {
    {"name", COLUMN_TEXT},
    {"kind", COLUMN_TEXT},         /* protocol or sql */
    {"users", COLUMN_NUMBER},      /* names that sessions have for it */
    {"parameters", COLUMN_NUMBER}, /* whose types were declared */
    {"statement", COLUMN_TEXT},    /* its beginning */
    {"length_bytes", COLUMN_NUMBER},
    {"worker", COLUMN_NUMBER},
};
const struct result_shape prepared_shape = RESULT_SHAPE(prepared_columns);

bool show_prepared(struct command_call *call, struct error *error)
{
    struct result *result = &call->result;
    (void)error;
    for (size_t i = 0; i < call->survey->n; i++) {
        const struct prepared_report *prepared = &call->survey->prepared[i];
        result_format(result, "rc_%llx", (unsigned long long)prepared->id);
        result_text(result, prepared->sql ? "sql" : "protocol");
        result_number(result, prepared->users);
        result_number(result, prepared->n_types);
        result_slice(result,
            slice_of(prepared->text, prepared->len < REPORT_TEXT_MAX ? prepared->len : REPORT_TEXT_MAX));
        result_number(result, prepared->len);
        result_number(result, prepared->worker);
    }
    return true;
}
