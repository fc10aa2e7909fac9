#include "fcgi-master/routes.h"

#include "fcgi-master/gateway.h"
#include "fcgi-master/schema.h"
#include "fcgi-master/system.h"
#include "fcgi-master/verify.h"

const struct http_route routes[] = {
    {"POST", "/insert", gateway_insert, NULL},
    {"POST", "/select", gateway_select, NULL},
    {"POST", "/explain", gateway_explain, NULL},
    {"POST", "/update", gateway_update, NULL},
    {"POST", "/delete", gateway_delete, NULL},
    {"POST", "/map-reduce-count", gateway_count, NULL},
    {"POST", "/create-db", schema_create_db, NULL},
    {"POST", "/drop-db", schema_drop_db, NULL},
    {"POST", "/create-table", schema_create_table, NULL},
    {"POST", "/delete-table", schema_delete_table, NULL},
    {"GET", "/metadata", system_metadata, NULL},
    {"GET", "/health", system_health, NULL},
    {"GET", "/verify", verify_cluster, NULL},
    {"POST", "/security-check", system_security_check, NULL},
};

const size_t route_count = sizeof routes / sizeof routes[0];
