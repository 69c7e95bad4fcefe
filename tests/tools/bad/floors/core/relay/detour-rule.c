#include "detour-wire.h"
#include <sys/socket.h>
