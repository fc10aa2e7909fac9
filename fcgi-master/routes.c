#include "fcgi-master/routes.h"

#include "fcgi-master/gateway.h"
#include "fcgi-master/schema.h"
#include "fcgi-master/system.h"
#include "fcgi-master/verify.h"

const struct http_route routes[] = {
    {"POST", "/insert", gateway_insert, NULL, HTTP_ALONE},
    {"POST", "/select", gateway_select, NULL, HTTP_ALONE},
    {"POST", "/explain", gateway_explain, NULL, HTTP_ALONE},
    {"POST", "/update", gateway_update, NULL, HTTP_ALONE},
    {"POST", "/delete", gateway_delete, NULL, HTTP_ALONE},
    {"POST", "/map-reduce-count", gateway_count, NULL, HTTP_ALONE},
    {"POST", "/create-db", schema_create_db, NULL, HTTP_ALONE},
    {"POST", "/drop-db", schema_drop_db, NULL, HTTP_ALONE},
    {"POST", "/create-table", schema_create_table, NULL, HTTP_ALONE},
    {"POST", "/delete-table", schema_delete_table, NULL, HTTP_ALONE},
    {"GET", "/metadata", system_metadata, NULL, HTTP_ALONE},
    {"GET", "/health", system_health, NULL, HTTP_ALONE},
    {"GET", "/verify", verify_cluster, NULL, HTTP_ALONE},
    {"POST", "/security-check", system_security_check, NULL, HTTP_ALONE},
};

const size_t route_count = sizeof routes / sizeof routes[0];
