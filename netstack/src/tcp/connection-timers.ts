/**
 * The timers of a connection: one that waits for the peer (retransmission, RFC 6298; zero-window probes, RFC 9293, 3.8.6.1;
 * TIME-WAIT), one for delayed acknowledgements, one for keepalive (RFC 9293, 3.8.4).
 */
import { Timer } from '../stack/timer-queue.ts';
import { FLAG } from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { writeSegment } from './segment-writer.ts';
import { advance } from './sequence.ts';

type Waiting = 'nothing' | 'acknowledgment' | 'window' | 'time-wait';

export class ConnectionTimers {
  readonly #connection: Connection;
  readonly #wait: Timer;
  readonly #delayed: Timer;
  readonly #keepalive: Timer;
  #waiting: Waiting = 'nothing';
  /** Expiries in a row without an answer. */
  #tries = 0;
  #heard: number;
  #probes = 0;

  constructor(connection: Connection) {
    const { timers } = connection.layer;
    this.#connection = connection;
    this.#heard = timers.now;
    this.#wait = new Timer(timers, () => this.#expired());
    this.#keepalive = new Timer(timers, () => this.#probe());
    this.#delayed = new Timer(timers, () => {
      connection.receiver.due = true;
      connection.acknowledgeLater();
    });
  }

  /** A segment of the peer came. */
  heard(): void {
    this.#heard = this.#connection.layer.timers.now;
    this.#probes = 0;
    if (this.#waiting === 'window') this.#tries = 0;
  }

  startKeepalive(): void {
    this.#keepalive.set(this.#connection.layer.limits.keepaliveIdle);
  }

  /** Something was sent that has to be acknowledged (RFC 6298, 5.1). */
  startRetransmission(): void {
    if (this.#waiting === 'acknowledgment' && this.#wait.armed) return;
    this.#await('acknowledgment', this.#connection.sender.rtt.timeout);
  }

  /** New data was acknowledged (RFC 6298, 5.2 and 5.3). */
  restartRetransmission(): void {
    const { sender } = this.#connection;
    this.#tries = 0;
    if (sender.inFlight > 0) this.#await('acknowledgment', sender.rtt.timeout);
    else if (this.#waiting === 'acknowledgment') this.#stop();
  }

  startPersisting(): void {
    const { sender } = this.#connection;
    if (this.#waiting === 'window' || !sender.isBlocked || this.#connection.isClosed()) return;
    this.#await('window', sender.rtt.timeout);
  }

  stopPersisting(): void {
    if (this.#waiting === 'window') this.#stop();
  }

  startTimeWait(): void {
    this.#keepalive.dispose();
    this.#delayed.cancel();
    this.#await('time-wait', this.#connection.layer.limits.timeWaitTime);
  }

  delayAcknowledgement(): void {
    if (!this.#delayed.armed) this.#delayed.set(this.#connection.layer.limits.delayedAck);
  }

  /** An acknowledgement went out. */
  acknowledged(): void {
    this.#delayed.cancel();
  }

  dispose(): void {
    this.#wait.dispose();
    this.#delayed.dispose();
    this.#keepalive.dispose();
  }

  #await(waiting: Waiting, delay: number): void {
    this.#waiting = waiting;
    this.#wait.set(delay);
  }

  #stop(): void {
    this.#waiting = 'nothing';
    this.#wait.cancel();
  }

  #expired(): void {
    const connection = this.#connection;
    const { sender, path } = connection;
    const { limits } = connection.layer;
    if (this.#waiting === 'time-wait') {
      connection.finish('finished');
      return;
    }
    this.#tries++;
    if (path.neighbour.unreachable && connection.isHalfOpen) connection.finish('unreachable');
    else if (this.#tries > (connection.isHalfOpen ? limits.synRetries : limits.retries)) this.#giveUp();
    else {
      // RFC 1122, 2.3.2.1: nothing comes back; perhaps the peer has another MAC address by now.
      if (this.#tries > 1) path.neighbour.solicit();
      sender.rtt.backOff();
      if (connection.isHalfOpen) connection.sendSyn();
      else if (this.#waiting === 'window') this.#provoke();
      else {
        sender.recovery.timedOut();
        sender.recovery.retransmit();
      }
      if (!connection.isClosed()) this.#await(this.#waiting, sender.rtt.timeout);
    }
  }

  #giveUp(): void {
    const connection = this.#connection;
    if (!connection.isHalfOpen) writeSegment(connection, connection.sender.next, FLAG.RST | FLAG.ACK, 0);
    connection.finish('timeout');
  }

  /**
   * An old sequence number without data, as Linux sends it for zero-window probes and keepalive: the peer has to answer with its
   * current acknowledgement and window, and is asked for no byte of memory.
   */
  #provoke(): void {
    writeSegment(this.#connection, advance(this.#connection.sender.una, -1), FLAG.ACK, 0);
  }

  #probe(): void {
    const { limits, timers } = this.#connection.layer;
    const idle = timers.now - this.#heard;
    if (this.#probes === 0 && idle < limits.keepaliveIdle) this.#keepalive.set(limits.keepaliveIdle - idle);
    else if (this.#probes >= limits.keepaliveProbes) this.#giveUp();
    else {
      this.#probes++;
      this.#provoke();
      this.#keepalive.set(limits.keepaliveInterval);
    }
  }
}
