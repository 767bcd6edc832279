// Brings the page up to date as things happen, and searches while one types. Without it the page is whole too.
'use strict'

const places = ['list', 'faults']
const search = document.querySelector('[role=search] input')
const live = document.getElementById('live')
const faults = document.getElementById('faults')
let latest = 0
let revision = Number(document.body.dataset.revision)

// Times come in UTC.
function localize(page) {
  for (const time of page.querySelectorAll('time')) time.textContent = new Date(time.dateTime).toLocaleTimeString()
}

async function refresh() {
  const mine = ++latest
  const answer = await fetch(location.href)
  // What was shown here is gone.
  if (!answer.ok) return location.assign('/')
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
  if (mine !== latest) return
  localize(fresh)
  for (const id of places) {
    const [from, to] = [fresh.getElementById(id), document.getElementById(id)]
    if (from && to && from.innerHTML !== to.innerHTML) to.innerHTML = from.innerHTML
  }
  revision = Number(fresh.body.dataset.revision)
}

function say(word, kind) {
  live.textContent = word
  live.className = kind
}

async function follow() {
  say('live', 'good')
  for (;;) {
    try {
      // The answer comes when something has happened.
      const answer = await fetch(`/api/changes?since=${revision}`)
      const now = (await answer.json()).revision
      say('live', 'good')
      if (now !== revision) await refresh()
    } catch {
      say('the emulator has stopped', 'bad')
      await new Promise((resolve) => setTimeout(resolve, 2000))
    }
  }
}

// The switches stay folded away for whoever folds them away.
faults.open = sessionStorage.getItem('faults') !== 'folded'
faults.addEventListener('toggle', () => sessionStorage.setItem('faults', faults.open ? 'open' : 'folded'))

search.addEventListener('input', () => {
  const url = new URL(location.href)
  if (url.pathname !== '/' && !url.pathname.startsWith('/messages/')) return
  if (search.value) url.searchParams.set('q', search.value)
  else url.searchParams.delete('q')
  history.replaceState(null, '', url)
  refresh()
})

localize(document)
follow()
