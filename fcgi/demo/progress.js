// Progress of long jobs. Each job has a channel, `job:NAME`, and says there how far it is: what a page
// missed, because it was reloaded or not yet open, it has from the log.

import { Belfry } from '/events/client.js';
import { at, clock, command, make, showState } from './page.js';

const STEPS = 40;
const hub = new Belfry('/events', { share: 'pages' });
const all = hub.channel('job:*', { last: 500 });
const jobs = new Map();             // name -> Job

class Job {
    done = 0;
    of = 1;

    constructor(name) {
        this.bar = make('progress', { max: 1, value: 0 });
        this.bar.ariaLabel = `Job ${name}`;
        this.words = make('span', { className: 'quiet' });
        this.log = make('ol', { className: 'log', tabIndex: 0 });
        this.log.ariaLabel = `Log of job ${name}`;
        this.row = make('li', { className: 'panel' },
            make('div', { className: 'line' }, make('h3', {}, name), this.words), this.bar, this.log);
        this.row.dataset.job = name;
        at('jobs').prepend(this.row);
    }

    take({ done, of, line }, time) {
        Object.assign(this, { done, of });
        Object.assign(this.bar, { max: of, value: done });
        this.words.textContent = done >= of ? `finished, ${of} of ${of}` : `${done} of ${of}, ${Math.floor((100 * done) / of)} %`;
        this.row.classList.toggle('finished', done >= of);
        this.log.append(make('li', {}, clock(time), ` ${line}`));
        this.log.scrollTop = this.log.scrollHeight;
    }
}

all.on('progress', (data, { channel, time }) => {
    const name = channel.slice('job:'.length);
    if (!jobs.has(name))
        jobs.set(name, new Job(name));
    jobs.get(name).take(data, time);
});
all.on('gap', () => location.reload());

// A job that this page does itself: it only has to remember which. How far it is, the log knows.

const nap = (ms) => new Promise((woken) => { setTimeout(woken, ms); });

async function run(name) {
    sessionStorage.setItem('job', name);
    at('run').disabled = true;
    try {
        for (let done = (jobs.get(name)?.done ?? 0) + 1; done <= STEPS; done += 1) {
            await nap(300);
            await hub.send({ channel: `job:${name}`, event: 'progress', data: { done, of: STEPS, line: `page ${done} is printed` },
                             idempotencyKey: `${name}-${done}` });
        }
    } catch (error) {
        at('outcome').textContent = error.message;
        at('outcome').classList.add('bad');
    }
    sessionStorage.removeItem('job');
    at('run').disabled = false;
}

async function goOn(name) {
    at('run').disabled = true;
    const [last] = await hub.channel(`job:${name}`).history({ limit: 1 });
    if (last && !jobs.has(name))
        jobs.set(name, Object.assign(new Job(name), last.data));
    run(name);
}

if (sessionStorage.getItem('job'))
    goOn(sessionStorage.getItem('job'));
at('run').addEventListener('click', () => run(`print-${Date.now().toString(36)}`));
command(at('command'), 'for n in $(seq 60); do sleep 0.3; echo "{\\"done\\":$n,\\"of\\":60,\\"line\\":\\"file $n is copied\\"}"; done | '
    + '{belfry} pub job:copy-$$ --event progress --json');
showState(hub);
