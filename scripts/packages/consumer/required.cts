// As main.ts, from CommonJS: Node 20.19 and later can require() an ES module.
import core = require('@pollux/core');
import net = require('@pollux/net');

export const reactor: core.Reactor = new core.Reactor();
export const listener: net.TcpListener = net.TcpListener.listen(reactor);
