// Wide tables become cards on a phone (pages.css): each cell is told the heading of its column.
document$.subscribe(() => {
  for (const table of document.querySelectorAll(".md-typeset table:not([class])")) {
    const headings = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
    if (headings.length < 5) continue;
    table.setAttribute("data-cards", "");
    for (const row of table.querySelectorAll("tbody tr")) {
      [...row.cells].forEach((cell, column) => cell.setAttribute("data-label", headings[column] ?? ""));
    }
  }
});
