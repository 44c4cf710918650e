// One line in ("kill 2"), one line out ("ok" or "error: why"). Who asks for an end is answered once the process has ended.
#include "cli/playground.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char socket_name[] = "control";

// The address of the control socket in an open folder: short however deep the folder is.
static struct sockaddr_un control_address(int folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, socket_name);
    return address;
}

int sk_playground_listen(playground *ground)
{
    for (size_t i = 0; i < SK_PLAYGROUND_CLIENTS_MAX; i++) ground->clients[i].socket = -1;
    struct sockaddr_un address = control_address(ground->folder);
    unlinkat(ground->folder, socket_name, 0); // of a playground that was killed: the lock says that nobody uses it
    ground->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ground->listener < 0 || bind(ground->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(ground->listener, SK_PLAYGROUND_CLIENTS_MAX) != 0) {
        fprintf(stderr, "skein playground: cannot listen on %s/%s: %s\n", ground->directory, socket_name, strerror(errno));
        return SK_EFAILED;
    }
    return 0;
}

void sk_playground_accept(playground *ground)
{
    int fd = accept4(ground->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    for (size_t i = 0; i < SK_PLAYGROUND_CLIENTS_MAX; i++) {
        if (ground->clients[i].socket >= 0) continue;
        ground->clients[i] = (playground_client){.socket = fd};
        return;
    }
    close(fd);
}

static void answer(playground_client *client, const char *text)
{
    send(client->socket, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(client->socket);
    *client = (playground_client){.socket = -1};
}

static void obey(playground *ground, playground_client *client)
{
    char action[16], why[SK_PLAYGROUND_EVENT_SIZE], text[SK_PLAYGROUND_EVENT_SIZE + 16];
    unsigned number = 0;
    int words = sscanf(client->line, "%15s %u", action, &number);
    bool all = words == 2 && number == 0 && strcmp(action, "heal") == 0;
    if (words != 2 || (number < 1 && !all) || number > ground->node_count) {
        snprintf(text, sizeof text, "error: there is no node %u; there are 1 to %u\n", number, ground->node_count);
        answer(client, text);
        return;
    }
    playground_node *node = all ? NULL : &ground->nodes[number - 1];
    if (sk_playground_act(ground, action, node, why)) {
        snprintf(text, sizeof text, "error: %s\n", why);
        answer(client, text);
    } else if (strcmp(action, "kill") == 0 || strcmp(action, "stop") == 0) {
        client->awaited = node;
    } else {
        answer(client, "ok\n");
    }
}

void sk_playground_client_ready(playground *ground, playground_client *client)
{
    ssize_t got = recv(client->socket, client->line + client->size, sizeof client->line - 1 - client->size, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        close(client->socket);
        *client = (playground_client){.socket = -1};
        return;
    }
    client->size += (size_t)got;
    client->line[client->size] = 0;
    if (strchr(client->line, '\n') && !client->awaited) obey(ground, client);
    else if (client->size == sizeof client->line - 1) answer(client, "error: the line is too long\n");
}

void sk_playground_clients_node_ended(playground *ground, playground_node *node)
{
    for (size_t i = 0; i < SK_PLAYGROUND_CLIENTS_MAX; i++) {
        playground_client *client = &ground->clients[i];
        if (client->socket >= 0 && client->awaited == node) answer(client, "ok\n");
    }
}

int sk_playground_send(const char *directory, const char *action, unsigned long number)
{
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = control_address(folder);
    int code = SK_EXIT_UNAVAILABLE;
    if (folder < 0 || fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fprintf(stderr, "skein playground: no playground runs in %s\n", directory);
    } else {
        char text[SK_PLAYGROUND_EVENT_SIZE * 2];
        int length = snprintf(text, sizeof text, "%s %lu\n", action, number);
        send(fd, text, (size_t)length, MSG_NOSIGNAL);
        size_t size = 0;
        ssize_t got;
        while (size + 1 < sizeof text && (got = recv(fd, text + size, sizeof text - 1 - size, 0)) > 0) size += (size_t)got;
        text[size] = 0;
        code = strcmp(text, "ok\n") == 0 ? SK_EXIT_OK : SK_EXIT_FAILED;
        if (code) fprintf(stderr, "skein playground: %s", size ? text : "it ended before it answered\n");
    }
    if (fd >= 0) close(fd);
    if (folder >= 0) close(folder);
    return code;
}
