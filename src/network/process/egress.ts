/**
 * `--egress`: which flows to the outside a container may open.
 *
 * A rule denies before any rule allows; with rules that allow, everything else is denied. A rule by name holds for the
 * addresses that our own resolver has told this very container for that name (or one below it): whoever knows an
 * address from elsewhere has not been told it. What was told holds for as long as the answer does, five minutes at least;
 * a flow that is open goes on. Names that no rule could ever let through are not looked up, so that nothing leaves in
 * questions. The memory is this process's: its successor knows no answers, and denies until a name is asked for again.
 */
import { IpAddress, type OutwardFlow, Subnet } from 'netstack';
import type { EgressRule } from '../../base/traffic.ts';

/** A decision for the audit log. */
export interface EgressDecision {
  readonly container: string;
  readonly action: 'allow' | 'deny';
  readonly protocol: OutwardFlow['protocol'] | 'dns';
  /** Absent for a name that was not looked up. */
  readonly address?: string;
  readonly port?: number;
  /** The name under which it was told the address, or that was not looked up. */
  readonly name?: string;
  /** The rule that decided; absent: none did. */
  readonly rule?: string;
}

interface CompiledRule {
  readonly rule: EgressRule;
  readonly subnet: Subnet | undefined;
}

/** Names under which an address was told, each with the time until which that holds. */
type Told = Map<string, number>;

interface Policy {
  readonly container: string;
  readonly rules: readonly CompiledRule[];
  readonly isClosed: boolean;
  readonly told: Map<string, Told>;
}

const leastHold = 300_000;
/** Addresses that are kept for one container; the one told first makes room. */
const maxTold = 4096;

export class Egress {
  readonly #now: () => number;
  readonly #record: (decision: EgressDecision) => void;
  readonly #policies = new Map<string, Policy>();
  readonly #byAddress = new Map<string, Policy>();

  /** @param now milliseconds of a clock that only goes on @param record what is to be put on record */
  constructor(now: () => number, record: (decision: EgressDecision) => void) {
    this.#now = now;
    this.#record = record;
  }

  /** Sets a container's rules; without any it may do everything. What it was told stays. */
  set(container: string, addresses: readonly string[], rules: readonly EgressRule[] = []): void {
    const told = this.#policies.get(container)?.told ?? new Map<string, Told>();
    this.delete(container);
    if (rules.length === 0) return;
    const policy = {
      container,
      rules: rules.map((rule) => ({ rule, subnet: compileSubnet(rule) })),
      isClosed: rules.some(({ action }) => action === 'allow'),
      told,
    };
    this.#policies.set(container, policy);
    for (const address of addresses) this.#byAddress.set(address, policy);
  }

  delete(container: string): void {
    const policy = this.#policies.get(container);
    if (policy === undefined) return;
    this.#policies.delete(container);
    for (const [address, each] of this.#byAddress) if (each === policy) this.#byAddress.delete(address);
  }

  admits({ container, destination, port, protocol }: OutwardFlow): boolean {
    const policy = this.#byAddress.get(container.toString());
    if (policy === undefined) return !this.#isAnonymous(container);
    const address = destination.toString();
    const names = this.#namesOf(policy, address);
    const concerned = policy.rules.filter(({ rule, subnet }) =>
      concerns(rule, subnet, { destination, port, protocol }, names),
    );
    const denying = concerned.find(({ rule }) => rule.action === 'deny')?.rule;
    const allowing = denying === undefined ? concerned[0]?.rule : undefined;
    const isAllowed = denying === undefined && (allowing !== undefined || !policy.isClosed);
    const rule = (denying ?? allowing)?.text;
    this.#record({
      container: policy.container,
      action: isAllowed ? 'allow' : 'deny',
      protocol,
      address,
      ...(protocol === 'icmp' ? {} : { port }),
      ...(names[0] === undefined ? {} : { name: names[0] }),
      ...(rule === undefined ? {} : { rule }),
    });
    return isAllowed;
  }

  /** Whether a container may look a name up. @param from its address */
  permits(name: string, from: string): boolean {
    const policy = this.#byAddress.get(from);
    if (policy === undefined) return !this.#isAnonymous(IpAddress.from(from));
    // A rule for some ports of a name says nothing of the others, for which its address is needed.
    const denying = policy.rules.find(
      ({ rule }) => rule.action === 'deny' && isWhole(rule) && (rule.target.kind === 'any' || isNamed(rule, [name])),
    )?.rule;
    const allows = policy.rules.filter(({ rule }) => rule.action === 'allow');
    const isOpen =
      allows.length === 0 || allows.some(({ rule }) => rule.target.kind !== 'name' || isNamed(rule, [name]));
    if (denying === undefined && isOpen) return true;
    this.#record({
      container: policy.container,
      action: 'deny',
      protocol: 'dns',
      name,
      ...(denying === undefined ? {} : { rule: denying.text }),
    });
    return false;
  }

  /** A container was told these addresses for a name; ttl in seconds. */
  answered(name: string, from: string, addresses: readonly { address: IpAddress; ttl: number }[]): void {
    const policy = this.#byAddress.get(from);
    if (policy === undefined) return;
    for (const { address, ttl } of addresses) {
      const key = address.toString();
      const told = policy.told.get(key) ?? (new Map() as Told);
      told.set(name, this.#now() + Math.max(1000 * ttl, leastHold));
      policy.told.delete(key);
      policy.told.set(key, told);
      if (policy.told.size > maxTold) policy.told.delete(policy.told.keys().next().value!);
    }
  }

  /**
   * Whether somebody with rules may hide behind the address: link-local ones are chosen by containers themselves, and are
   * nobody's that we know.
   */
  #isAnonymous(address: IpAddress): boolean {
    return this.#policies.size > 0 && address.isLinkLocal;
  }

  #namesOf(policy: Policy, address: string): string[] {
    const told = policy.told.get(address);
    if (told === undefined) return [];
    for (const [name, until] of told) if (until < this.#now()) told.delete(name);
    if (told.size === 0) policy.told.delete(address);
    return [...told.keys()];
  }
}

function concerns(
  rule: EgressRule,
  subnet: Subnet | undefined,
  { destination, port, protocol }: Pick<OutwardFlow, 'destination' | 'port' | 'protocol'>,
  names: readonly string[],
): boolean {
  if (rule.protocol !== undefined && rule.protocol !== protocol) return false;
  if (rule.ports !== undefined && (protocol === 'icmp' || port < rule.ports[0] || port > rule.ports[1])) return false;
  if (rule.target.kind === 'any') return true;
  return rule.target.kind === 'subnet' ? subnet?.contains(destination) === true : isNamed(rule, names);
}

function isNamed({ target }: EgressRule, names: readonly string[]): boolean {
  if (target.kind !== 'name') return false;
  const { name: wanted, below } = target;
  return names.some((name) => (below ? name.endsWith(`.${wanted}`) : name === wanted));
}

/** Whether it concerns all ports and protocols. */
function isWhole({ ports, protocol }: EgressRule): boolean {
  return ports === undefined && protocol === undefined;
}

function compileSubnet({ target }: EgressRule): Subnet | undefined {
  if (target.kind !== 'subnet') return undefined;
  const [address = '', prefix] = target.subnet.split('/');
  return new Subnet(IpAddress.from(address), Number(prefix));
}
