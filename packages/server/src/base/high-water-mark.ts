/** Beyond this many waiting bytes a client is full, whatever its protocol. */
export const HIGH_WATER_MARK = 64 * 1024;
