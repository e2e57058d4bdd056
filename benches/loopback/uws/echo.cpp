// An echo server on uWebSockets, for `benches/loopback`: without compression, says where it listens.
#include "App.h"

#include <cstdio>
#include <cstdlib>

int main() {
    struct Nothing {};
    uWS::App()
        .ws<Nothing>("/*", {
            .compression = uWS::DISABLED,
            .maxPayloadLength = 64 << 20,
            .idleTimeout = 120,
            .maxBackpressure = 64 << 20,
            .message = [](auto *socket, std::string_view message, uWS::OpCode opcode) {
                socket->send(message, opcode, false);
            },
        })
        .listen("127.0.0.1", 0, [](auto *listening) {
            if (!listening) exit(1);
            auto *socket = reinterpret_cast<us_socket_t *>(listening);
            printf("listening on 127.0.0.1:%d\n", us_socket_local_port(0, socket));
            fflush(stdout);
        })
        .run();
}
