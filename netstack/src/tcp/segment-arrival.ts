/** What an arriving segment does to its connection: RFC 9293, 3.10.7.3 and 3.10.7.4, with RFC 5961 (blind attacks) and RFC 7323. */
import { FLAG } from '../wire/tcp.ts';
import type { Segment } from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { advance, before, distance } from './sequence.ts';

export function segmentArrives(connection: Connection, segment: Segment): void {
  const { state } = connection;
  if (state === 'LISTEN') {
    // The SYN sent again, or the peer's change of mind, while the application decides.
    if ((segment.flags & FLAG.RST) !== 0) connection.finish('reset');
  } else if (state === 'SYN-SENT') arriveInSynSent(connection, segment);
  else if (state !== 'CLOSED') arriveSynchronized(connection, segment);
}

function arriveInSynSent(connection: Connection, segment: Segment): void {
  const { sender, layer } = connection;
  const { flags, acknowledgment } = segment;
  const acknowledges = (flags & FLAG.ACK) !== 0;
  if (acknowledges && acknowledgment !== sender.next) {
    if ((flags & FLAG.RST) === 0) layer.answerWithReset(connection.path, segment);
    return;
  }
  if ((flags & FLAG.RST) !== 0) {
    if (acknowledges) connection.finish('reset');
    return;
  }
  if ((flags & FLAG.SYN) === 0) return;
  connection.negotiate(segment);
  if (!acknowledges) {
    // Simultaneous open (RFC 9293, 3.5, figure 7).
    connection.state = 'SYN-RECEIVED';
    connection.sendSyn();
    return;
  }
  sender.una = acknowledgment;
  if (segment.hasTimestamps && connection.timestamps) {
    const rtt = (layer.timestamp() - segment.timestampEcho) | 0;
    if (rtt >= 0 && rtt < 60_000) sender.rtt.sample(rtt);
  }
  connection.timers.heard();
  connection.establish();
  if (connection.isClosed()) return;
  connection.sendAcknowledgment();
  if (segment.payloadLength > 0 || (flags & FLAG.FIN) !== 0) {
    segment.sequence = advance(segment.sequence, 1);
    segment.flags &= ~FLAG.SYN;
    takeText(connection, segment);
  }
  if (!connection.isClosed()) sender.pump();
}

function arriveSynchronized(connection: Connection, segment: Segment): void {
  const { sender, receiver } = connection;
  const { flags } = segment;
  if (
    connection.state === 'SYN-RECEIVED' &&
    (flags & FLAG.SYN) !== 0 &&
    advance(segment.sequence, 1) === receiver.next
  ) {
    if ((flags & FLAG.ACK) === 0) {
      connection.sendSyn(); // our answer was lost
      return;
    }
    // The second half of a simultaneous open. A SYN's window is not scaled.
    segment.sequence = receiver.next;
    segment.flags &= ~FLAG.SYN;
    segment.window >>>= sender.scale;
  }
  if (!passesPaws(connection, segment) || !receiver.isAcceptable(segment.sequence, segment.length)) {
    if ((flags & FLAG.RST) !== 0) return;
    // A FIN that comes again restarts TIME-WAIT (3.10.7.4, eighth step).
    if (connection.state === 'TIME-WAIT' && (flags & FLAG.FIN) !== 0) connection.enterTimeWait();
    connection.timers.heard();
    // An old segment can still carry news of the window's probes; Linux's zero-window probe looks like this.
    receiver.due = true;
    connection.acknowledgeLater();
    return;
  }
  if ((flags & FLAG.RST) !== 0) {
    if (connection.state === 'TIME-WAIT') return; // RFC 1337
    // RFC 5961, 3.2: only the exact next number resets; others in the window are challenged.
    if (segment.sequence === receiver.next) connection.finish(isDoneButForFin(connection) ? 'finished' : 'reset');
    else connection.sendChallenge();
    return;
  }
  if ((segment.flags & FLAG.SYN) !== 0) {
    connection.sendChallenge(); // RFC 5961, 4.2
    return;
  }
  if ((flags & FLAG.ACK) === 0) return;
  connection.timers.heard();
  noteTimestamp(connection, segment);
  if (!takeAcknowledgment(connection, segment)) return;
  if (segment.payloadLength > 0 || (flags & FLAG.FIN) !== 0) takeText(connection, segment);
  if (!connection.isClosed()) sender.pump();
}

/**
 * In CLOSING and LAST-ACK a reset is no news to the user (3.10.7.4, second step): the peer has left TIME-WAIT before its last
 * acknowledgement reached us. That holds if nothing but our FIN is left to acknowledge.
 */
function isDoneButForFin({ state, sender }: Connection): boolean {
  return (state === 'CLOSING' || state === 'LAST-ACK') && sender.una === sender.fin;
}

/** Protection against wrapped sequence numbers (RFC 7323, 5.3). */
function passesPaws(connection: Connection, segment: Segment): boolean {
  if (!connection.timestamps || !segment.hasTimestamps || (segment.flags & FLAG.RST) !== 0) return true;
  return distance(segment.timestamp, connection.recentTimestamp) >= 0;
}

/** RFC 7323, 4.3 (2). */
function noteTimestamp(connection: Connection, segment: Segment): void {
  if (!connection.timestamps || !segment.hasTimestamps) return;
  if (!before(connection.receiver.told, segment.sequence)) connection.recentTimestamp = segment.timestamp;
}

/** The fifth step. Returns whether the segment's text is to be looked at. */
function takeAcknowledgment(connection: Connection, segment: Segment): boolean {
  const { sender, layer } = connection;
  const { acknowledgment } = segment;
  if (connection.state === 'SYN-RECEIVED') {
    if (acknowledgment !== sender.next) {
      layer.answerWithReset(connection.path, segment);
      return false;
    }
    sender.una = acknowledgment;
    sender.updateWindow(segment);
    connection.establish();
    return !connection.isClosed();
  }
  if (connection.state === 'TIME-WAIT') return true;
  // RFC 5961, 5.2: what was never sent, or lies more than a window back, is not taken for an acknowledgement.
  const ahead = distance(acknowledgment, sender.next);
  if (ahead > 0 || distance(sender.una, acknowledgment) > sender.maxWindow) {
    connection.sendChallenge();
    return false;
  }
  const window = sender.window;
  if (!before(acknowledgment, sender.una)) {
    sender.updateWindow(segment);
    sender.acknowledge(segment, sender.window !== window);
    if (connection.isClosed()) return false;
    if (sender.window > 0) connection.timers.stopPersisting();
  }
  if (!sender.finAcknowledged) return true;
  if (connection.state === 'FIN-WAIT-1') connection.state = 'FIN-WAIT-2';
  else if (connection.state === 'CLOSING') connection.enterTimeWait();
  else if (connection.state === 'LAST-ACK') connection.finish('finished');
  return !connection.isClosed();
}

/** The seventh and eighth steps: payload and FIN. */
function takeText(connection: Connection, segment: Segment): void {
  const { receiver } = connection;
  const { state } = connection;
  if (receiver.isFinished() || !(state === 'ESTABLISHED' || state === 'FIN-WAIT-1' || state === 'FIN-WAIT-2')) {
    // Nothing may follow a FIN; what does is a retransmission, or is ignored.
    receiver.due = true;
    connection.acknowledgeLater();
    return;
  }
  receiver.accept(segment, (segment.flags & FLAG.FIN) !== 0);
  if (!receiver.isFinished() || connection.isClosed()) return;
  if (receiver.isDrained()) connection.app.receivedEnd();
  if (connection.isClosed()) return;
  if (state === 'ESTABLISHED') connection.state = 'CLOSE-WAIT';
  else if (state === 'FIN-WAIT-1') connection.state = 'CLOSING';
  else {
    // The acknowledgement of the FIN has to go before the application lets go.
    connection.sendAcknowledgment();
    connection.enterTimeWait();
  }
}
