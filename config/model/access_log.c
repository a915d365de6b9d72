#include "config/model/access_log.h"

#define ACCESS_FIELD_NAME(id, name) [ACCESS_##id] = name,
const char *const access_field_names[ACCESS_FIELD_COUNT] = {ACCESS_FIELDS(ACCESS_FIELD_NAME)};
