"use strict";
// Tables sort by a click on a column's head and filter as you type. Without this script they stand
// as they are written, best first.
(() => {
  const NOTHING = "–";
  const UNITS = { h: 3600, min: 60, s: 1 };

  const valueOf = (text) => {
    if (text === "" || text === NOTHING) return null;
    const trial = text.match(/^#(\d+)/);
    if (trial) return Number(trial[1]);
    const times = [...text.matchAll(/(\d+(?:\.\d+)?) (h|min|s)\b/g)];
    if (times.length) return times.reduce((sum, [, n, unit]) => sum + Number(n) * UNITS[unit], 0);
    const number = Number(text.replace(/[,+<*]/g, "").replace("−", "-").replace(/ %$/, ""));
    return Number.isNaN(number) ? text.toLowerCase() : number;
  };

  // Numbers before text, and what does not exist last, whichever way the column is sorted.
  const compare = (one, other, sign) => {
    if (one === null || other === null) return (one === null) - (other === null);
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
    return sign * (one < other ? -1 : one > other ? 1 : 0);
  };

  // `dcn adagrad` wants both words in a row; `rmse<1.03` compares a column.
  const matcher = (query, names) => {
    const tests = query.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
      const [, name, sign, text] = word.match(/^([^<>=]+)(<=|>=|<|>|=)(.+)$/) || [];
      const column = names.indexOf(name);
      if (column < 0) return (cells) => cells.some((cell) => cell.toLowerCase().includes(word));
      return (cells) => {
        const [one, other] = [valueOf(cells[column]), valueOf(text)];
        if (one === null || typeof one !== typeof other) return false;
        return { "<": one < other, ">": one > other, "<=": one <= other,
                 ">=": one >= other, "=": one === other }[sign];
      };
    });
    return (cells) => tests.every((test) => test(cells));
  };

  const enliven = (table, i) => {
    const body = table.tBodies[0];
    const written = [...body.rows];
    const rows = written.filter((row) => !row.classList.contains("rule"));
    const cells = new Map(rows.map((row) => [row, [...row.cells].map((cell) => cell.textContent.trim())]));
    const heads = [...table.tHead.rows[0].cells];
    const names = heads.map((head) => head.textContent.trim().toLowerCase().replaceAll(" ", "_"));
    let sorted = { column: -1, sign: 0 };
    let query = "";

    const form = document.createElement("p");
    form.className = "filter";
    const input = document.createElement("input");
    input.type = "search";
    input.id = `filter-${i}`;
    input.placeholder = names.includes("rmse") ? "dcn rmse<1.03" : "words in a row";
    const label = document.createElement("label");
    label.htmlFor = input.id;
    label.textContent = "Filter rows ";
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    form.append(label, input, count);
    table.parentElement.before(form);

    const show = () => {
      const isAsWritten = sorted.sign === 0 && query.trim() === "";
      const matches = matcher(query, names);
      const shown = rows.filter((row) => matches(cells.get(row)));
      const order = sorted.sign === 0 ? shown : [...shown].sort((one, other) =>
        compare(valueOf(cells.get(one)[sorted.column]), valueOf(cells.get(other)[sorted.column]), sorted.sign));
      body.replaceChildren(...(isAsWritten ? written : order));
      count.textContent = query.trim() ? `${shown.length} of ${rows.length} rows` : "";
      heads.forEach((head, j) => {
        const isBy = j === sorted.column && sorted.sign !== 0;
        if (isBy) head.setAttribute("aria-sort", sorted.sign > 0 ? "ascending" : "descending");
        else head.removeAttribute("aria-sort");
      });
    };

    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.title = head.title;
      button.addEventListener("click", () => {
        const sign = sorted.column !== column ? 1 : { 1: -1, [-1]: 0, 0: 1 }[sorted.sign];
        sorted = { column, sign };
        show();
      });
      head.replaceChildren(button);
    });
    input.addEventListener("input", () => { query = input.value; show(); });
  };

  document.querySelectorAll("table.sortable").forEach(enliven);
})();
