// What every server gets, Pollux and its peers alike; peers/server.h has the same numbers.
export const BACKLOG = 1024;
export const UDP_BUFFER = 4 << 20;
export const LOOPBACK = '127.0.0.1';
