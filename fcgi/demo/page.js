// page -- what all pages have: the way to the others, the state of the connection, a user's token.

const PAGES = { index: 'Start', chat: 'Chat', notifications: 'Notifications', dashboard: 'Dashboard', progress: 'Progress', lab: 'Lab' };

export const at = (id) => document.getElementById(id);

/** An element with what is in it. Text stays text: nothing that came from somewhere becomes markup. */
export function make(name, properties, ...inside) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...inside);
    return made;
}

export const clock = (time) => make('time', { dateTime: new Date(time).toISOString() }, new Date(time).toLocaleTimeString());

/** A token for `user`, as an application gives one to whom it has logged in. scripts/run made these. */
export async function token(user) {
    const answer = await fetch(`/token/${user}`);
    if (!answer.ok)
        throw new Error(`there is no token for ${user}: this page needs the users that scripts/run makes`);
    return (await answer.text()).trim();
}

/** Keeps the words at the top of the page true. */
export function showState(hub) {
    const show = () => {
        const why = hub.error ? `: ${hub.error.message}` : '';
        const live = hub.transport === 'poll' ? 'live, by long-poll' : 'live';
        const words = { live, waiting: `trying again${why}`, refused: `refused${why}` };
        at('state').dataset.state = hub.state;
        at('state').textContent = words[hub.state] ?? hub.state;
    };
    hub.on('state', show);
    show();
}

/** A command line for a shell, with a button that copies it. `{belfry}` stands for the program. */
export async function command(place, text) {
    const answer = await fetch('/shell').catch(() => ({ ok: false }));
    const line = text.replaceAll('{belfry}', answer.ok ? (await answer.text()).trim() : 'belfry');
    const copied = make('span', { role: 'status' });
    const button = make('button', { type: 'button', className: 'plain' }, 'Copy');
    button.addEventListener('click', async () => {
        await navigator.clipboard.writeText(line);
        copied.textContent = 'Copied. Paste it into a shell.';
    });
    place.replaceChildren(make('pre', { tabIndex: 0 }, make('code', {}, line)), make('p', { className: 'buttons' }, button, copied));
}

/** A second page beside this one: open from the start where there is room for it. */
export function beside(button, frame, url) {
    const open = (is) => {
        if (is && !frame.src)
            frame.src = url;
        frame.hidden = !is;
        button.setAttribute('aria-expanded', is);
        frame.parentElement.classList.toggle('split', is);
    };
    button.addEventListener('click', () => open(frame.hidden));
    open(!framed && matchMedia('(min-width: 64rem)').matches);
}

const framed = window !== top;
document.documentElement.classList.toggle('framed', framed);
const here = location.pathname.split('/').pop() || 'index.html';
at('pages').append(...Object.entries(PAGES).map(([name, title]) => {
    const link = make('a', { href: `${name}.html` }, title);
    if (here === `${name}.html`)
        link.setAttribute('aria-current', 'page');
    return link;
}));
