/* The bare chain: what two hops cost before anybody does anything. Called shardgate-worker it answers a constant row;
 * called shardgate-master it posts each request's body to the first worker and passes the answer on. Both under the real
 * launcher and its lighttpd configuration, with the real programs' numbers of threads. Measures only; refuses nothing.
 */
#include <config.h>

#include <curl/curl.h>
#include <fcgiapp.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cluster.h"

#define MAX_BODY   ((size_t)1 << 20)
#define MAX_ANSWER ((size_t)1 << 20)

static const char answer[] =
    "{\"status\":\"ok\",\"rows\":[{\"student_id\":1001,\"name\":\"Ali\",\"grade\":\"A\"}],\"count\":1,\"complete\":true,"
    "\"shards\":[{\"shard\":0,\"worker\":\"go\",\"outcome\":\"ok\",\"rows\":1}]}";

static bool is_master;
static struct cluster cluster;
static char url[128], socket_path[512];

static void put_answer(FCGX_Request *rq, const char *body, size_t len)
{
    FCGX_FPrintF(rq->out, "Status: 200\r\nContent-Type: application/json\r\nX-Shardgate: bare\r\nContent-Length: %d\r\n\r\n",
                 (int)len);
    FCGX_PutStr(body, (int)len, rq->out);
}

static size_t take(char *data, size_t size, size_t n, void *to)
{
    buf_append(to, data, size * n);
    return size * n;
}

static CURL *open_hop(struct curl_slist *headers)
{
    CURL *c = curl_easy_init();
    if (c == NULL)
        abort();
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    return c;
}

static void *serve(void *unused)
{
    FCGX_Request rq;
    struct buf body, reply;
    struct curl_slist *headers = curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), "Expect:");
    CURL *hop = is_master ? open_hop(headers) : NULL;
    (void)unused;
    buf_init(&body, MAX_BODY);
    buf_init(&reply, MAX_ANSWER);
    FCGX_InitRequest(&rq, 0, 0);
    while (FCGX_Accept_r(&rq) == 0) {
        char piece[4096];
        int n;
        buf_reset(&body);
        buf_reset(&reply);
        while ((n = FCGX_GetStr(piece, sizeof piece, rq.in)) > 0)
            buf_append(&body, piece, (size_t)n);
        if (is_master) {
            curl_easy_setopt(hop, CURLOPT_POSTFIELDS, buf_text(&body));
            curl_easy_setopt(hop, CURLOPT_POSTFIELDSIZE, (long)body.len);
            curl_easy_setopt(hop, CURLOPT_WRITEDATA, &reply);
            if (curl_easy_perform(hop) == CURLE_OK)
                put_answer(&rq, buf_text(&reply), reply.len);
        } else {
            put_answer(&rq, answer, sizeof answer - 1);
        }
        FCGX_Finish_r(&rq);
    }
    return NULL;
}

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    struct buf error;
    is_master = strcmp(name == NULL ? argv[0] : name + 1, "shardgate-master") == 0;
    buf_init(&error, 4096);
    if (cluster_load(option(argc, argv, "--config"), &cluster, &error) != 0) {
        fprintf(stderr, "%s\n", buf_text(&error));
        return EXIT_FAILURE;
    }
    if (is_master) {
        snprintf(url, sizeof url, "http://127.0.0.1:%d/select", cluster.workers[0].port);
        snprintf(socket_path, sizeof socket_path, "%s/%s.http.sock", option(argc, argv, "--rundir"), cluster.workers[0].name);
        curl_global_init(CURL_GLOBAL_DEFAULT);
    }
    FCGX_Init();
    int threads = is_master ? cluster.master_threads : cluster.workers[0].threads;
    for (int i = 1; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, NULL) != 0)
            return EXIT_FAILURE;
    }
    serve(NULL);
    return EXIT_SUCCESS;
}
