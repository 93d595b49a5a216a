/** Stands in for `mendix/session` where Mendix does not have it yet: then the token is where older versions keep it. */
export {};
