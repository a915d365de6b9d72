#include "config/import/nginx/convert.h"

const struct ngx_directive *ngx_setting(const struct ngx_conversion *conversion,
                                        const struct ngx_list *server, const char *name)
{
    const struct ngx_directive *own = ngx_find(server, name);
    return own ? own : ngx_find(conversion->stream, name);
}
