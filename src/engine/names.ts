import { randomInt } from 'node:crypto';

const ADJECTIVES =
  'able agile amber apt bold brave bright brisk calm candid clear clever cool cosy crisp daring deft eager early easy fair fast fine firm fleet fond frank free fresh glad good grand great happy hardy keen kind light lively lucid merry mild modest neat nimble noble patient plucky polite proud quick quiet ready sharp silent smart snug solid sound spry steady still sunny swift tidy true vivid warm wise witty';
const SURNAMES =
  'abel ampere archimedes babbage bell bohr boole bose brahe cantor carson celsius cerf church curie darwin dijkstra einstein euclid euler faraday fermat fermi feynman franklin galileo galois gauss germain goodall hamilton hertz hilbert hopper hubble hypatia kepler knuth lamarr laplace leibniz liskov lovelace maxwell mccarthy meitner mendel mirzakhani newton noether ohm pascal pasteur perlman planck ramanujan ride ritchie rubin shannon sinoussi tesla thompson turing volta wiles wozniak yalow';

/** A name for a container that was given none: adjective_surname, with a digit once others have it. */
export function generateName(isTaken: (name: string) => boolean): string {
  const [adjectives, surnames] = [ADJECTIVES.split(' '), SURNAMES.split(' ')];
  for (let attempt = 0; ; attempt++) {
    const name = `${adjectives[randomInt(adjectives.length)]!}_${surnames[randomInt(surnames.length)]!}`;
    const candidate = attempt < 5 ? name : `${name}${randomInt(10 ** Math.min(attempt - 4, 9))}`;
    if (!isTaken(candidate)) return candidate;
  }
}
