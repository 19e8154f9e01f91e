#include "cli/remedy.h"

#include "base/memory.h"

static const struct {
    const char *header, *server;
} servers[] = {
    {"nginx", "nginx"},   {"openresty", "nginx"}, {"lighttpd", "lighttpd"},
    {"Apache", "apache"}, {"Caddy", "caddy"},     {"h2o", "h2o"},
};

/* The first that fits; an empty server fits all. */
static const struct {
    const char *server;
    enum ill ill;
    const char *text;
} remedies[] = {
    {"nginx", ILL_DOWN,
     "In the location of the mount: fastcgi_pass unix:/run/belfry/fcgi.sock; and let nginx's user "
     "reach that socket (option socket_group). See conf/nginx.conf."},
    {"nginx", ILL_BUFFERED,
     "In the location of the mount: fastcgi_buffering off; and take out any fastcgi_ignore_headers "
     "X-Accel-Buffering. If another nginx stands in front: proxy_buffering off; there."},
    {"nginx", ILL_COMPRESSED, "In the location of the mount: gzip off; or fastcgi_buffering off;"},
    {"nginx", ILL_CUT, "In the location of the mount: fastcgi_read_timeout 1h;"},
    {"nginx", ILL_UNNOTICED,
     "Take out fastcgi_ignore_client_abort on; from the location of the mount."},
    {"lighttpd", ILL_DOWN,
     "fastcgi.server = (\"/events\" => ((\"socket\" => \"/run/belfry/fcgi.sock\", \"check-local\" "
     "=> "
     "\"disable\"))) and let lighttpd's user reach that socket. See conf/lighttpd.conf."},
    {"lighttpd", ILL_BUFFERED,
     "$HTTP[\"url\"] =~ \"^/events\" { server.stream-response-body = 2 }"},
    {"lighttpd", ILL_COMPRESSED,
     "Take text/event-stream out of deflate.mimetypes, or server.stream-response-body = 2."},
    {"lighttpd", ILL_CUT, "server.max-write-idle = 3600 for the mount's URL."},
    {"lighttpd", ILL_UNNOTICED,
     "Add \"tcp-fin-propagate\" => \"enable\" to the mount's fastcgi.server entry."},
    {"apache", ILL_DOWN,
     "ProxyPass \"/events\" \"unix:/run/belfry/fcgi.sock|fcgi://belfry/\" flushpackets=on "
     "timeout=3600, with mod_proxy_fcgi. See conf/apache.conf."},
    {"apache", ILL_BUFFERED,
     "Add flushpackets=on to the mount's ProxyPass (mod_fcgid: FcgidOutputBufferSize 0)."},
    {"apache", ILL_COMPRESSED,
     "SetEnvIf Request_URI \"^/events\" no-gzip=1, or flushpackets=on on the mount's ProxyPass."},
    {"apache", ILL_CUT,
     "Add timeout=3600 to the mount's ProxyPass (mod_fcgid: FcgidIOTimeout, FcgidBusyTimeout)."},
    {"apache", ILL_UNNOTICED, "Add flushpackets=on to the mount's ProxyPass."},
    {"caddy", ILL_DOWN,
     "handle /events* { reverse_proxy unix//run/belfry/fcgi.sock { transport fastcgi { split "
     "/events "
     "} } } See conf/Caddyfile."},
    {"caddy", ILL_BUFFERED, "Add flush_interval -1 to the mount's reverse_proxy."},
    {"caddy", ILL_COMPRESSED,
     "Do not put `encode` around the mount: Caddy 2.6 holds compressed streams back."},
    {"caddy", ILL_CUT, "Take read and write timeouts out of the servers block."},
    {"caddy", ILL_UNNOTICED,
     "Caddy notices only at the fourth write: lower `ping=` in the page's URL if it matters."},
    {"h2o", ILL_DOWN,
     "paths: \"/events\": fastcgi.connect: {port: /run/belfry/fcgi.sock, type: unix}. See "
     "conf/h2o.conf."},
    {"h2o", ILL_BUFFERED, "Take proxy buffers and `reproxy` away from the mount's path."},
    {"h2o", ILL_COMPRESSED, "compress: OFF for the mount's path."},
    {"h2o", ILL_CUT, "fastcgi.timeout.io: 3600000 for the mount's path."},
    {"", ILL_DOWN, "Is belfry-fcgi running, and does the web server pass the mount to its socket?"},
    {"", ILL_BUFFERED, "Switch off response buffering for the mount, in every proxy on the way."},
    {"", ILL_COMPRESSED, "Switch off compression for the mount."},
    {"", ILL_CUT, "Raise the read timeout for the mount to an hour, in every proxy on the way."},
    {"", ILL_UNNOTICED, "Let the server close the FastCGI connection when the client leaves."},
    {"", ILL_NONE, ""},
};

const char *remedy_server(Str header)
{
    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        Str name = str_of(servers[i].header);
        if (header.len >= name.len && str_eq_nocase(str_make(header.p, name.len), name))
            return servers[i].server;
    }
    return "";
}

const char *remedy_for(const char *server, enum ill ill)
{
    size_t i = 0;
    while (remedies[i].ill != ill ||
           (remedies[i].server[0] && strcmp(remedies[i].server, server) != 0))
        i++;
    return remedies[i].text;
}
