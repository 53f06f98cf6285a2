// Before the first paint, so that a chosen theme does not flash the other one. A file, because inline scripts are refused.
const chosen = localStorage.getItem('attestry.theme')
if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen
